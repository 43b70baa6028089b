"""A PostgreSQL schema for tables that somebody looks at: a new one, which no projector can go on from."""

from __future__ import annotations

import uuid
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql.connecting import CONNECT_SECONDS
from shardlog.adapters.postgresql.faults import psycopg_mapped
from shardlog.adapters.postgresql.select_only import PostgresqlTables
from shardlog.adapters.postgresql.store import PostgresqlProjectionStore
from shardlog.adapters.sql.tables import INTERNAL_PREFIX
from shardlog.errors import ConfigurationError
from shardlog.ports.projections import ProjectionStore
from shardlog.ports.scratch import Scratch

_OWN: dict[LiteralString, LiteralString] = {
    "FUNCTION": "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace(quote_ident(%s))"
    " AND starts_with(proname, %s)",
    "TABLE": "SELECT tablename FROM pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
}
"""What shardlog keeps beside the tables, by kind."""


class PostgresqlScratch(Scratch):
    """url: of the database. schema: the name of a new schema, which stays once it is finished; None for one that is
    dropped.

    Raises ConfigurationError where there is such a schema already, StoreUnavailable and StoreFailed.
    """

    def __init__(self, url: str, schema: str | None) -> None:
        self._url = url
        self.schema = schema or f"shardlog_as_of_{uuid.uuid4().hex[:12]}"
        self._stays = False
        self._is_named = schema is not None
        self._is_closed = False
        with psycopg_mapped(f"making schema {self.schema!r}"):
            self._make()
        self._store = PostgresqlProjectionStore(url, schema=self.schema)

    @property
    def store(self) -> ProjectionStore:
        return self._store

    def finished(self) -> PostgresqlTables:
        self._store.close()
        with psycopg_mapped(f"finishing schema {self.schema!r}"), self._connected() as connection:
            for kind, own in _OWN.items():
                for (name,) in connection.execute(own, (self.schema, INTERNAL_PREFIX)).fetchall():
                    connection.execute(SQL("DROP {} {}").format(SQL(kind), Identifier(self.schema, name)))
        self._stays = self._is_named
        return PostgresqlTables(self._url, self.schema)

    def close(self) -> None:
        self._store.close()
        if self._stays or self._is_closed:
            return
        with psycopg_mapped(f"dropping schema {self.schema!r}"), self._connected() as connection:
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(self.schema)))
        self._is_closed = True

    def _make(self) -> None:
        with self._connected() as connection:
            found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.schema,)).fetchone()
            if found is not None:
                raise ConfigurationError(
                    f"schema {self.schema!r} is there already: tables as they were are built in a new one; drop it, or "
                    "name another"
                )
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(self.schema)))

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS)
