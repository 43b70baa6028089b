"""The query API in a process of its own: settings -> reader, named queries, journal and HTTP server."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.engine import make_url

from shardlog.adapters.sql.sqlite_reading import SqliteProjectionReader
from shardlog.errors import ConfigurationError
from shardlog.gateway.settings import GatewaySettings
from shardlog.model.application import Application
from shardlog.ports.reading import NamedQuery, ProjectionReader
from shardlog.query.app import QueryApi
from shardlog.query.asking import BESIDE
from shardlog.query.named import named_queries
from shardlog.query.routes import Sources
from shardlog.query.settings import QuerySettings
from shardlog.wiring.checking import refuse_remote
from shardlog.wiring.http_server import UvicornServer, loop_factory
from shardlog.wiring.journal_ends import OpenedEnds
from shardlog.wiring.serving import LOOPBACK_HOSTS, SIGNALS, Listening, bound
from shardlog.wiring.settings import Loaded, Settings
from shardlog.wiring.stores import ProjectionDatabase, password_in


def serve_queries(loaded: Loaded, application: Application, announce: Callable[[Listening], None]) -> None:
    """Serve until SIGINT or SIGTERM; then let requests under way be answered, and return. A second signal ends at once.

    announce: called once requests are taken. To be called in the main thread. Raises ConfigurationError for an address
    that cannot be had, a role that may write, and a named query that the database does not take; StoreUnavailable where
    nobody has made the tables' database yet.
    """
    settings = loaded.settings
    asked = settings.query
    if not application.projections:
        raise ConfigurationError("[application] names no projection, so there is nothing to read: list them")
    if not asked.allow_remote:
        refuse_remote(asked.host, "--allow-remote, or [query] allow_remote,")
    with ExitStack() as opened:
        listener = opened.enter_context(bound(asked.host, asked.port))
        reader = open_reader(settings)
        opened.callback(reader.close)
        queries = checked_queries(reader, loaded.folder / asked.directory)
        ends = OpenedEnds(settings)
        opened.callback(ends.close)
        sources = Sources(application, queries, reader, ends)
        hosts = None if asked.allow_remote else LOOPBACK_HOSTS
        address = Listening(asked.host, listener.getsockname()[1], "")
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(sources, settings, listener, hosts, lambda: announce(address)))


def open_reader(settings: Settings) -> ProjectionReader:
    """A reader of the projections' database, which can only read. Raises ConfigurationError, StoreUnavailable and
    StoreFailed."""
    asked, database = settings.query, ProjectionDatabase.of(settings)
    limits = {"statement_timeout_ms": asked.statement_timeout_ms, "connections_max": asked.queries_max + BESIDE}
    if settings.projections.is_mariadb:
        raise ConfigurationError(
            f"the tables are in {database.place}, and the query API reads SQLite and PostgreSQL: read MariaDB by "
            "its own "
            "clients"
        )
    if not database.is_shared:
        return SqliteProjectionReader(database.file, **limits)
    try:
        from shardlog.adapters.postgresql.reading import PostgresqlProjectionReader
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"there is no module {error.name!r}: pip install 'shardlog[postgresql]'") from error
    return PostgresqlProjectionReader(_reader_url(settings), schema=settings.projections.schema, **limits)


def checked_queries(reader: ProjectionReader, directory: Path) -> Mapping[str, NamedQuery]:
    """The named queries of a folder, each prepared by the database. Raises ConfigurationError, naming file and line."""
    queries = named_queries(directory)
    for query in queries.values():
        reader.check(query)
    return queries


def _reader_url(settings: Settings) -> str:
    """The projections' database, with the role that reads. Raises ConfigurationError where none is named."""
    asked = settings.query
    if not asked.user:
        raise ConfigurationError(
            "[query] user is empty, and the query API reads PostgreSQL as a role that may do nothing else: make one, "
            "`CREATE ROLE reader LOGIN PASSWORD ...`, let it read by `shardlog admin grant-reads reader`, and name it "
            "there, with its password in password_file or SHARDLOG_QUERY_PASSWORD"
        )
    password = password_in(asked.password_file, "query") if asked.password_file else asked.password
    url = make_url(settings.projections.database).set(username=asked.user, password=password or None)
    return url.render_as_string(hide_password=False)


async def _serve(
    sources: Sources,
    settings: Settings,
    listener: socket.socket,
    hosts: frozenset[str] | None,
    announce: Callable[[], None],
) -> None:
    api = QueryApi(sources, settings.query, hosts)
    server = UvicornServer(api, settings.recovery.drain_deadline_ms, _limits(settings.query))
    server.announce = announce
    loop = asyncio.get_running_loop()

    def end() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        server.should_exit = True

    for number in SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        await server.serve(sockets=[listener])
    finally:
        api.close()


def _limits(asked: QuerySettings) -> GatewaySettings:
    """The server's own bounds are those of any HTTP server here."""
    return GatewaySettings(connections_max=asked.connections_max, head_bytes_max=asked.head_bytes_max)
