"""A TCP proxy in front of brokers: clients talk to its ports, and it treats what comes back as it is told.

It knows of Kafka's protocol only that a message begins with its length in four bytes, that a request goes on with its
number, version and correlation id, and an answer with the correlation id; it takes no part in either.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TypeVar

from shardlog.testing.faults.connection import Connection
from shardlog.testing.faults.fault import Fault, Kind
from shardlog.testing.services.errors import ServiceFailed

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
ANSWER_SECONDS = 10.0
"""How long the proxy's own thread may take to do as it is told."""


class FaultProxy:
    """One port for each of `count` brokers, taken when it is started; where they lead is said by `forward_to`.

    It has a thread of its own; its methods are called from any other. Used as a context manager it runs inside of it.
    """

    def __init__(self, count: int) -> None:
        self.ports: tuple[int, ...] = ()
        self._count = count
        self._targets: list[tuple[str, int]] = []
        self._fault: Fault | None = None
        self._treated = 0
        self._accepted = 0
        self._changed = threading.Condition()
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="shardlog-faults", daemon=True)

    @property
    def bootstrap(self) -> str:
        """host:port,... for clients that are to be treated so."""
        return ",".join(f"{LOOPBACK}:{port}" for port in self.ports)

    @property
    def treated(self) -> int:
        """How many answers the present fault, or the last one, has touched."""
        return self._treated

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    @property
    def accepted(self) -> int:
        """How many connections were taken since it was started, those that were closed at once included."""
        return self._accepted

    def start(self) -> None:
        """Take the ports."""
        self._thread.start()
        self._do(self._listen())

    def forward_to(self, addresses: Sequence[str]) -> None:
        """Where each port leads, as host:port. Connections that come before it are closed."""
        if len(addresses) != self._count:
            raise ServiceFailed(
                f"{len(addresses)} address(es) for {self._count} port(s) of the proxy: give one for each"
            )
        self._targets = [(host, int(port)) for host, _, port in (one.rpartition(":") for one in addresses)]

    def stop(self) -> None:
        """Close everything."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_SECONDS)
        self._loop.close()

    def begin(self, fault: Fault) -> None:
        """Be unkind from here on, in the place of what it did before."""
        self._do(self._set(fault))

    def end(self) -> None:
        """Be kind again: what was held passes."""
        self._do(self._set(None))

    @contextmanager
    def during(self, fault: Fault) -> Iterator[None]:
        """Be unkind inside of it."""
        self.begin(fault)
        try:
            yield
        finally:
            self.end()

    def cut(self) -> int:
        """Reset every connection now; returns how many. Clients may connect again."""
        return self._do(self._cut())

    def wait_until_treated(self, answers: int, within_s: float) -> None:
        """Wait until the fault has touched so many answers. Raises ServiceFailed."""
        self._wait(lambda: self._treated >= answers, within_s, f"{answers} answers were not touched")

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # -- in its thread -------------------------------------------------------------------------------------------------
    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    def _wait(self, is_so: Callable[[], bool], within_s: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(is_so, within_s):
                raise ServiceFailed(f"the proxy at {self.bootstrap}: {what} within {within_s} s, but {self._treated}")

    async def _listen(self) -> None:
        for place in range(self._count):
            self._servers.append(await asyncio.start_server(self._accepting(place), LOOPBACK, 0))
        self.ports = tuple(server.sockets[0].getsockname()[1] for server in self._servers)

    def _accepting(
        self, place: int
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._accepted += 1
            broker: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
            try:
                await self._until_heard()
                with suppress(OSError, IndexError):
                    broker = await asyncio.open_connection(*self._targets[place])
            except asyncio.CancelledError:  # the proxy ends
                writer.transport.abort()
                raise
            if broker is None:  # as a broker that is gone: the client finds its connection refused, or closed at once
                writer.transport.abort()
                return
            connection = Connection((reader, writer), broker, self)
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)

        return accept

    async def _set(self, fault: Fault | None) -> None:
        ended, self._ended = self._ended, asyncio.Event()
        self._fault = fault
        if fault is not None:
            self._treated = 0
        ended.set()

    async def _cut(self) -> int:
        cut = list(self._connections)
        for connection in cut:
            connection.abort()
        return len(cut)

    async def _close(self) -> None:
        await self._set(None)
        await self._cut()
        for server in self._servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed in the loop's next turn

    # -- for connections -----------------------------------------------------------------------------------------------
    async def _until_heard(self) -> None:
        while self._fault is not None and self._fault.kind is Kind.SILENCE:
            await self._ended.wait()

    async def request_may_pass(self) -> None:
        """Return once a request may go on to its broker."""
        await self._until_heard()

    async def copies_of_answer(self, request: int) -> int:
        """Return once an answer may go on, with how many of it: 0, 1 or 2. request: its number."""
        await self._until_heard()
        fault = self._fault
        if fault is None or (fault.requests and request not in fault.requests):
            return 1
        if fault.answers_max is not None and self._treated >= fault.answers_max:
            return 1
        with self._changed:
            self._treated += 1
            self._changed.notify_all()
        if fault.kind is Kind.HOLD:
            await self._ended.wait()
        elif fault.kind is Kind.DELAY:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), fault.delay_ms / 1000)
        return {Kind.DROP: 0, Kind.REPEAT: 2}.get(fault.kind, 1)
