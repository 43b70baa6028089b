"""Leases in PostgreSQL, beside the projections' tables: two small tables, by the database's clock.

Locks are taken in the order of names and shards, and what has run out is deleted only where nobody holds its row, so
that members don't wait for one another in a circle.

A process that is stopped in a transaction keeps its locks, the checkpoint's among them, and whoever has its shards next
would wait for it for ever. So each look ends the connections of projectors that stand still while others wait for them:
`idle_in_transaction_session_timeout` does not, since the server's clock does not run in a pipeline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from shardlog.adapters.postgresql.connecting import CONNECT_SECONDS, KEEPALIVE, PROJECTOR
from shardlog.adapters.postgresql.faults import psycopg_mapped
from shardlog.errors import ConfigurationError
from shardlog.ports.leases import Leases, Seen

ANSWER_MS = 10_000
"""How long the server may take for one statement, such as for a lock."""
STANDS_STILL_MS = 10_000
"""How long a process may leave the server waiting in a transaction whose locks others wait for."""
_Driver: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
_T = TypeVar("_T")

_LOCK = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 1936220015)"
_ARE_THERE = "SELECT to_regclass('shardlog_members') IS NOT NULL AND to_regclass('shardlog_leases') IS NOT NULL"
_MAKE = (
    "CREATE TABLE IF NOT EXISTS shardlog_members (name text, member text, until timestamptz NOT NULL,"
    " PRIMARY KEY (name, member))",
    "CREATE TABLE IF NOT EXISTS shardlog_leases (name text, shard bigint, owner text NOT NULL,"
    " until timestamptz NOT NULL, PRIMARY KEY (name, shard))",
    "COMMENT ON TABLE shardlog_members IS 'Which processes keep which projections, and until when they are believed.'",
    "COMMENT ON TABLE shardlog_leases IS 'Which process keeps which shard of a projection, and until when.'",
)
_END_STANDING_STILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND usename = current_user"
    " AND datname = current_database() AND wait_event = 'ClientRead' AND xact_start IS NOT NULL"
    " AND state_change < clock_timestamp() - %s * interval '1 ms' AND pid IN (SELECT unnest(pg_blocking_pids(pid))"
    " FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock')"
)
_FORGET_MEMBERS = (
    "DELETE FROM shardlog_members AS held USING (SELECT name, member FROM shardlog_members"
    " WHERE until <= clock_timestamp() FOR UPDATE SKIP LOCKED) AS gone"
    " WHERE held.name = gone.name AND held.member = gone.member"
)
_FORGET_LEASES = (
    "DELETE FROM shardlog_leases AS held USING (SELECT name, shard FROM shardlog_leases"
    " WHERE until <= clock_timestamp() FOR UPDATE SKIP LOCKED) AS gone"
    " WHERE held.name = gone.name AND held.shard = gone.shard"
)
_SERVES_NO_OTHERS = "DELETE FROM shardlog_members WHERE member = %s AND name <> ALL(%s::text[])"
_LIVES = (
    "INSERT INTO shardlog_members AS held (name, member, until)"
    " SELECT name, %s, clock_timestamp() + %s * interval '1 ms' FROM unnest(%s::text[]) AS given(name)"
    " ON CONFLICT (name, member) DO UPDATE SET until = excluded.until"
)
_MEMBERS = (
    "SELECT name, member FROM shardlog_members WHERE name = ANY(%s::text[]) AND until > clock_timestamp()"
    ' ORDER BY member COLLATE "C"'
)
_HELD = "SELECT name, shard, owner FROM shardlog_leases WHERE name = ANY(%s::text[]) AND until > clock_timestamp()"
_GIVE_BACK = (
    "DELETE FROM shardlog_leases AS held WHERE owner = %s AND NOT EXISTS (SELECT FROM"
    " unnest(%s::text[], %s::bigint[]) AS given(name, shard) WHERE given.name = held.name AND given.shard = held.shard)"
)
_TAKE = (
    "INSERT INTO shardlog_leases AS held (name, shard, owner, until)"
    " SELECT name, shard, %s, clock_timestamp() + %s * interval '1 ms'"
    " FROM unnest(%s::text[], %s::bigint[]) AS given(name, shard)"
    " ON CONFLICT (name, shard) DO UPDATE SET owner = excluded.owner, until = excluded.until"
    " WHERE held.owner = excluded.owner OR held.until <= clock_timestamp() RETURNING name, shard"
)


class PostgresqlLeases(Leases):
    """Leases in the schema of one database that holds the projections; the schema is there already.

    url, schema: as of PostgresqlProjectionStore. From any thread; calls wait for one another. Making one asks nothing.
    Raises ConfigurationError for another URL.
    """

    def __init__(self, url: str, *, schema: str = "shardlog") -> None:
        target = make_url(url)
        if target.get_backend_name() != "postgresql":
            raise ConfigurationError(f"leases in PostgreSQL need a postgresql:// URL, and this is {target!r}")
        self._address = target.set(drivername="postgresql").render_as_string(hide_password=False)
        self._schema = schema
        self._lock = threading.Lock()
        self._driver: _Driver | None = None

    def look(self, member: str, names: Collection[str], lives_ms: int) -> Seen:
        """Say that this member lives, and see the group."""
        wanted = sorted(set(names))

        def ask(driver: _Driver) -> Seen:
            for forget in (_FORGET_MEMBERS, _FORGET_LEASES):
                driver.execute(forget)
            driver.execute(_END_STANDING_STILL, (PROJECTOR, STANDS_STILL_MS, PROJECTOR))
            driver.execute(_SERVES_NO_OTHERS, (member, wanted))
            driver.execute(_LIVES, (member, lives_ms, wanted))
            members, held = driver.execute(_MEMBERS, (wanted,)), driver.execute(_HELD, (wanted,))
            return _seen(wanted, members.fetchall(), held.fetchall())

        return self._ask("looking for the members of the group", ask)

    def take(self, member: str, wanted: Mapping[str, Collection[int]], lives_ms: int) -> Mapping[str, frozenset[int]]:
        """Hold the leases of these shards, and no others."""
        keys = sorted({(name, shard) for name, shards in wanted.items() for shard in shards})
        names, shards = [name for name, _ in keys], [shard for _, shard in keys]

        def ask(driver: _Driver) -> Mapping[str, frozenset[int]]:
            driver.execute(_GIVE_BACK, (member, names, shards))
            taken = driver.execute(_TAKE, (member, lives_ms, names, shards)).fetchall()
            return {name: frozenset(shard for known, shard in taken if known == name) for name in wanted}

        return self._ask("taking leases", ask)

    def release(self, member: str) -> None:
        """Give all leases back, and be no member any more."""

        def ask(driver: _Driver) -> None:
            driver.execute("DELETE FROM shardlog_leases WHERE owner = %s", (member,))
            driver.execute("DELETE FROM shardlog_members WHERE member = %s", (member,))

        self._ask("releasing leases", ask)

    def close(self) -> None:
        """Free the connection. Idempotent."""
        with self._lock:
            self._drop()

    def _ask(self, doing: str, ask: Callable[[_Driver], _T]) -> _T:
        """In one transaction, over the connection that is kept; after an error, the next call opens another."""
        with self._lock, psycopg_mapped(doing), self._dropped_after_errors():
            if self._driver is None:
                self._driver = self._connected()
            with self._driver.pipeline(), self._driver.transaction():
                return ask(self._driver)

    @contextmanager
    def _dropped_after_errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._drop()
            raise

    def _connected(self) -> _Driver:
        driver: _Driver = psycopg.connect(
            self._address,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="shardlog leases",
            options=f"-c statement_timeout={ANSWER_MS}",
            keepalives_idle=KEEPALIVE["keepalives_idle"],
            keepalives_interval=KEEPALIVE["keepalives_interval"],
            keepalives_count=KEEPALIVE["keepalives_count"],
            tcp_user_timeout=KEEPALIVE["tcp_user_timeout"],
        )
        try:
            driver.execute(SQL("SET search_path TO {}").format(Identifier(self._schema)))
            if driver.execute(_ARE_THERE).fetchone() != (True,):  # asked first: who may not make tables may use them
                with driver.transaction():
                    driver.execute(_LOCK)
                    for make in _MAKE:
                        driver.execute(make)
        except BaseException:
            driver.close()
            raise
        return driver

    def _drop(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(psycopg.Error):
                driver.close()


def _seen(names: list[str], members: list[tuple[Any, ...]], held: list[tuple[Any, ...]]) -> Seen:
    return Seen(
        {name: tuple(member for known, member in members if known == name) for name in names},
        {name: {shard: owner for known, shard, owner in held if known == name} for name in names},
    )
