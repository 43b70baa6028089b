"""A query API as a process of its own over tables that an engine in this one keeps, in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
from psycopg import sql

from domain.banking import banking
from domain.banking.account import account
from domain.banking.messages import Deposit, Open
from domain.flights import flights as flights_domain
from projections.banking import balances
from projections.flights import flights
from projections.flights.tables import AircraftUtilisation, OnTimeByCarrierMonth
from shardlog import Application, CommandAccepted
from shardlog.adapters.postgresql.granting import grant_reads
from shardlog.ports.builds import Build
from shardlog.ports.projections import Batch, TableChanges
from shardlog.projector.settings import ProjectionSettings
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.stores import ProjectionDatabase
from tests.services.processes import ROOT

SECONDS = 30
ACCOUNTS = 250
ROWS_MAX = 200
APPLICATION = Application([banking, flights_domain], [balances, flights])
SETTINGS = """
[application]
domains = ["domain.banking:banking", "domain.flights:flights"]
projections = ["projections.banking:balances", "projections.flights:flights"]
[journal]
directory = "{journal}"
[query]
port = 0
directory = "{queries}"
statement_timeout_ms = 400
rows_max = {rows_max}
export_rows_max = 100_000
"""
QUERIES = {
    "heavy": "-- Never ends.\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "many": "-- Too many rows.\nSELECT account, owner FROM account_balances",
    "said": "-- Says what it is given.\n-- :text text = null Any text.\n-- :number integer = 1 Any number.\n"
    "SELECT CAST(:text AS text) AS said, :number AS number, count(*) AS accounts FROM account_balances"
    " WHERE owner <> coalesce(:text, '')",
}
_CARRIERS = [(carrier, month, 40, 1, 0, 39, late, 5 * late, 39, 4 * late) for month in (1, 2) for carrier, late in
             (("AA", 3), ("B6", 20), ("UA", 11))]  # fmt: skip
_AIRCRAFT = [("N1", 4, 600, 2_400, 1), ("N2", 2, 90, 300, 0)]


class QueryServer:
    """One process, begun now. settings: the file."""

    def __init__(self, settings: Path, *more: str) -> None:
        self.url = ""
        self.log = settings.with_suffix(".log")
        self._errors = self.log.open("ab")
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "shardlog.cli.main", "serve", "query", "--settings", str(settings), *more],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
        )

    def wait_until_it_serves(self) -> None:
        """Read the line that says where it is."""
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, f"it ended before it served: {self.log.read_text()}"
        self.url = json.loads(line)["url"]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self.popen.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """The exit code of one that ends by itself, or was told to."""
        code = self.popen.wait(SECONDS)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self._errors.close()
        return code


class Served(NamedTuple):
    """Tables, the engine that keeps them, and a query API over them. dump: the contents of all tables, digested."""

    database: str
    engine: Embedded
    server: QueryServer
    client: httpx.Client
    settings: Path
    dump: Callable[[], str]

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """An answer. `__` in a parameter's name stands for a dot."""
        return self.client.get(path, params={name.replace("__", "."): value for name, value in parameters.items()})

    def deposit(self, id: str, amount: int) -> str:
        """The token of a deposit."""
        sent = self.engine.send(account.stream(id), Deposit(amount=amount))
        assert isinstance(sent, CommandAccepted)
        return sent.token


@contextmanager
def served(database: str, folder: Path, postgresql: Callable[[], str]) -> Iterator[Served]:
    """database: sqlite or postgresql. postgresql: the URL of a server, asked for where it is needed."""
    settings, queries = folder / "shardlog.toml", folder / "queries"
    shutil.copytree(ROOT / "projections" / "queries", queries)
    for name, text in QUERIES.items():
        (queries / f"{name}.sql").write_text(text)
    text = SETTINGS.format(journal=folder / "journal", queries=queries, rows_max=ROWS_MAX)
    if database == "sqlite":
        known = ProjectionSettings()
        settings.write_text(text)
        with _running(database, folder, settings, known, lambda: _sqlite_dump(folder)) as running:
            yield running
        return
    url = postgresql()
    with _schema_and_role(url) as (schema, role):
        parts = urlsplit(url)
        plain = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
        known = ProjectionSettings(database=plain, schema=schema, password=parts.password or "")
        named = f"database = {json.dumps(plain)}\nschema = {json.dumps(schema)}"
        (folder / "reads").write_text("reads\n")
        settings.write_text(text + f"user = {json.dumps(role)}\npassword_file = 'reads'\n[projections]\n{named}\n")
        ProjectionDatabase(folder, known).open_store().close()
        grant_reads(url, schema=schema, role=role)
        with _running(database, folder, settings, known, lambda: _postgresql_dump(url, schema)) as running:
            yield running


@contextmanager
def _running(
    database: str, folder: Path, settings: Path, known: ProjectionSettings, dump: Callable[[], str]
) -> Iterator[Served]:
    with Embedded(APPLICATION, folder / "journal", projection_settings=known) as engine:
        _fill(engine)
        server = QueryServer(settings)
        try:
            server.wait_until_it_serves()
            with httpx.Client(base_url=server.url, timeout=SECONDS) as client:
                yield Served(database, engine, server, client, settings, dump)
        finally:
            assert server.end() == 0, server.log.read_text()


def _fill(engine: Embedded) -> None:
    """Accounts by commands; flights' rows as their projection would have written them."""
    for number in range(ACCOUNTS):
        id = f"main:{number:03}"
        engine.send(account.stream(id), Open(owner=f"o'{number % 7}" if number % 2 else f"ä {number}"))
        engine.send(account.stream(id), Deposit(amount=100 + number % 50))
    engine.wait_for_projections()
    store = engine.database.open_store()
    tables = [TableChanges(row, rows, {}, {}, []) for row, rows in
              ((OnTimeByCarrierMonth, _CARRIERS), (AircraftUtilisation, _AIRCRAFT))]  # fmt: skip
    store.write(Batch(Build(flights, 1), tables=tables))
    store.close()


@contextmanager
def _schema_and_role(url: str) -> Iterator[tuple[str, str]]:
    schema, role = f'Query "{uuid4().hex[:8]}"', f"reader_{uuid4().hex[:8]}"
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {role} LOGIN PASSWORD 'reads'").format(**names))
        try:
            yield schema, role
        finally:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {schema} CASCADE").format(**names))
            connection.execute(sql.SQL("DROP OWNED BY {role}; DROP ROLE {role}").format(**names))


def _sqlite_dump(folder: Path) -> str:
    connection = sqlite3.connect(folder / "journal" / "projections.sqlite")
    try:
        return _digest("\n".join(connection.iterdump()))
    finally:
        connection.close()


def _postgresql_dump(url: str, schema: str) -> str:
    wanted = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind = ANY(%s)"
    held: dict[str, list[str]] = {}
    with psycopg.connect(url) as connection:
        for (name,) in connection.execute(wanted, (schema, ["r", "v"])).fetchall():
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, name)))
            held[name] = sorted(map(repr, rows))
    return _digest(repr(sorted(held.items())))


def _digest(text: str) -> str:
    return blake2b(text.encode()).hexdigest()
