"""All roles in one process, behind HTTP: what `shardlog dev` runs, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shardlog.errors import ConfigurationError
from shardlog.wiring.checking import refuse_remote
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.http_server import HttpServer, loop_factory
from shardlog.wiring.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Listening(NamedTuple):
    """Where the process can be reached. journal: the id of the journal that it serves."""

    host: str
    port: int
    journal: str

    @property
    def url(self) -> str:
        """Without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def serve(settings: Settings, announce: Callable[[Listening], None]) -> None:
    """Serve until SIGINT or SIGTERM; then finish what was taken, and return. A second signal ends the process at once,
    which the journal survives as it survives a crash.

    announce: called once requests are taken. To be called in the main thread. Raises ConfigurationError for an address
    that cannot be had, and what entering `Embedded` raises.
    """
    host, port, allow_remote = settings.gateway.host, settings.gateway.port, settings.gateway.allow_remote
    if not allow_remote:
        refuse_remote(host)
    with bound(host, port) as listener, Embedded.from_settings(settings) as engine:
        address = Listening(host, listener.getsockname()[1], engine.meta.journal)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            hosts = None if allow_remote else LOOPBACK_HOSTS
            runner.run(_serve(engine, settings, listener, hosts, lambda: announce(address)))


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at this address, before anything else is opened. Raises ConfigurationError where it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"{host}:{port} is no address to listen at: {error}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"{host}:{port} cannot be had: {error}; take another port, or 0 for a free one"
            ) from error
        yield listener


async def _serve(
    engine: Embedded,
    settings: Settings,
    listener: socket.socket,
    hosts: frozenset[str] | None,
    announce: Callable[[], None],
) -> None:
    server = HttpServer(
        engine,
        settings.executor,
        hosts,
        settings.recovery.drain_deadline_ms,
        settings.gateway,
        has_metrics=settings.metrics.enabled,
    )

    def end() -> None:
        _leave_signals()
        server.end()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, end)
    await server.run(listener, announce)


def _leave_signals() -> None:
    """From here on a signal does what it does to any process."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
