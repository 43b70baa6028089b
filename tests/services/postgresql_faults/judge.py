"""The judge: what a projection left in a database, byte for byte, and what an undisturbed worker leaves there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import msgspec
import psycopg
from psycopg.sql import SQL, Composable, Identifier

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.ports.builds import BuildKey
from shardlog.ports.journal import Journal
from shardlog.ports.projections import DeadLetter
from shardlog.ports.rows import table_shape
from shardlog.projector.runner import Projector
from tests.unit.projector.log import JOURNAL

SHOWN_MAX = 5
Contents: TypeAlias = Mapping[str, tuple[bytes, ...]]
"""By table, all its rows in the order of their keys, as PostgreSQL writes it; with dead letters and checkpoints."""


def tables_of(url: str, schema: str, projection: Projection) -> Contents:
    """What stands there now, read without the store where it is a row."""
    contents: dict[str, tuple[bytes, ...]] = {}
    with psycopg.connect(url) as connection:
        for row in projection.rows:
            shape = table_shape(row)
            columns: Composable = SQL(", ").join(Identifier(column.name) for column in shape.columns)
            keys: Composable = SQL(", ").join(Identifier(name) for name in shape.keys)
            table = Identifier(schema, row.__wire_name__)
            query = SQL("SELECT ROW({})::text FROM {} ORDER BY {}").format(columns, table, keys)
            contents[row.__wire_name__] = tuple(text.encode() for (text,) in connection.execute(query))
    store = PostgresqlProjectionStore(url, schema=schema)
    try:
        key = BuildKey(projection.name, projection.version, 1)
        contents["dead letters"] = tuple(msgspec.json.encode(_plain(letter)) for letter in store.dead_letters(key))
        checkpoints = store.stored(key).checkpoints
        contents["checkpoints"] = tuple(msgspec.json.encode(checkpoints[shard]) for shard in sorted(checkpoints))
    finally:
        store.close()
    return contents


def _plain(letter: DeadLetter) -> DeadLetter:
    """Without the words of the error: PostgreSQL tells the sum that did not fit, which a batch makes."""
    return msgspec.structs.replace(letter, error=letter.error.partition(":")[0], traceback="")


def fresh(url: str, journal: Journal, shards: int, application: Application, projection: Projection) -> Contents:
    """What one projector makes of the whole journal in a schema of its own, which is dropped again."""
    with own_schema(url) as schema:
        store = PostgresqlProjectionStore(url, schema=schema)
        try:
            Projector(journal, JOURNAL, shards, application, [projection], store).drain()
        finally:
            store.close()
        return tables_of(url, schema, projection)


@contextmanager
def own_schema(url: str) -> Iterator[str]:
    """The name of a schema that nobody has, dropped at the end."""
    name = f"fresh_{uuid.uuid4().hex[:12]}"
    try:
        yield name
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))


def assert_equal(found: Contents, wanted: Contents) -> None:
    """Byte for byte, and that there is something at all."""
    assert any(rows for table, rows in wanted.items() if table != "checkpoints"), "nothing is there to be compared"
    differing = difference(found, wanted)
    assert not differing, differing


def difference(found: Contents, wanted: Contents) -> str:
    """By table the first rows that only one of the two has; empty where they are equal."""
    lines: list[str] = []
    for table in sorted({*found, *wanted}):
        here, there = found.get(table, ()), wanted.get(table, ())
        if here == there:
            continue
        lines.append(f"{table}: {len(here)} rows, and a fresh rebuild has {len(there)}")
        lines += [f"  only here:    {row.decode()[:300]}" for row in here if row not in set(there)][:SHOWN_MAX]
        lines += [f"  only rebuilt: {row.decode()[:300]}" for row in there if row not in set(here)][:SHOWN_MAX]
    return "\n".join(lines)
