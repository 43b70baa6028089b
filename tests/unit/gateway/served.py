"""A gateway over a real engine, in a thread with an event loop of its own; and one over an engine that a test plays."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from shardlog import (
    Aggregate,
    Application,
    Changes,
    Command,
    Domain,
    Event,
    Key,
    Projection,
    Recorded,
    Row,
    State,
    increment,
    reject,
    replace,
)
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Waiting
from shardlog.gateway.app import Gateway
from shardlog.gateway.engine import Engine
from shardlog.gateway.settings import GatewaySettings
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.http_server import GATEWAY, HttpServer, loop_factory
from shardlog.wiring.serving import LOOPBACK_HOSTS, bound

BYTES_MAX = 2_000
IMPATIENT = GatewaySettings(answer_deadline_ms=20)
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}


class Jar(State):
    beans: int = 0


class Add(Command):
    beans: int = 1


class AddTwice(Command):
    beans: int


class Spill(Command): ...


class Look(Command): ...


class Added(Event):
    beans: int


jar = Aggregate("jar", initial=Jar(), routing_parts=1)


@jar.decides
def add(state: Jar, command: Add) -> Added:
    if command.beans < 0:
        reject("too_few", f"{command.beans} beans cannot be added")
    return Added(beans=command.beans)


@jar.decides
def add_twice(state: Jar, command: AddTwice) -> tuple[Added, ...]:
    return Added(beans=command.beans), Added(beans=command.beans)


@jar.decides
def spill(state: Jar, command: Spill) -> Added:
    raise ZeroDivisionError("spilled")


@jar.decides
def look(state: Jar, command: Look) -> Added | None:
    return None


@jar.evolves
def added(state: Jar, event: Added) -> Jar:
    return replace(state, beans=state.beans + event.beans)


class Beans(Row, name="beans"):
    jar: Key[str]
    beans: int = 0


counts = Projection("counts", rows=[Beans])


@counts.on
def counted(event: Added, recorded: Recorded) -> Changes:
    if event.beans == 13:
        raise LookupError("no shelf is high enough")
    return increment(Beans, recorded.id, beans=event.beans)


application = Application([Domain("pantry", aggregates=[jar])], [counts])


@contextmanager
def serving(
    directory: Path, limits: Limits | None = None, settings: GatewaySettings = GATEWAY
) -> Iterator[tuple[Embedded, httpx.Client]]:
    """An engine and a client of its server."""
    limits = limits or Limits(command_bytes_max=BYTES_MAX)
    with (
        Embedded(application, directory, shards=2, limits=limits) as engine,
        bound("127.0.0.1", 0) as listener,
        run(lambda: HttpServer(engine, limits, LOOPBACK_HOSTS, settings=settings), listener) as client,
    ):
        yield engine, client


@contextmanager
def run(make: Callable[[], HttpServer], listener: socket.socket) -> Iterator[httpx.Client]:
    """The server in a thread; it drains at the end."""
    port = listener.getsockname()[1]
    ready = threading.Event()
    ending: list[Callable[[], object]] = []

    async def serve() -> None:
        server, loop = make(), asyncio.get_running_loop()
        ending.append(lambda: loop.call_soon_threadsafe(server.end))
        await server.run(listener, ready.set)

    def live() -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve())

    thread = threading.Thread(target=live)
    thread.start()
    assert ready.wait(20)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        ending[0]()
        thread.join()


class PlayedEngine(Engine):
    """An engine whose answers are a test's."""

    def __init__(self, answer: Callable[[Waiting], object], modes: Mapping[int, str] | None = None) -> None:
        self._answer = answer
        self._modes = modes or {0: "serving"}

    def submit(self, waiting: Waiting, /) -> None:
        outcome = self._answer(waiting)
        if outcome is not None:
            waiting.sink.deliver([(waiting.ticket, outcome)])

    def modes(self) -> Mapping[int, str]:
        return self._modes


def ask(
    engine: PlayedEngine, method: str, path: str, *, settings: GatewaySettings = GATEWAY, **options: Any
) -> httpx.Response:
    """One request to a gateway over this engine."""

    async def request() -> httpx.Response:
        gateway = Gateway(engine, None, Limits(command_bytes_max=BYTES_MAX), settings=settings)
        transport = httpx.ASGITransport(gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, **options)

    return asyncio.run(request())
