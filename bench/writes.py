"""Two ways of writing one row an event into PostgreSQL, in turn, on one server: which of them the store should use.

    python -m bench.writes --rows 400000 --json

*unnest*: one INSERT ... SELECT FROM unnest with an array a column, ON CONFLICT DO UPDATE; the store's own way. *copy*:
COPY of the same rows, as text, into a temporary table, then INSERT ... SELECT FROM it with the same ON CONFLICT. Both
include what Python does to make texts of the rows, and a commit, durable, for each batch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import MetaData, Table

from bench.postgresql import DURABLE
from bench.projected import Flying
from bench.report import report
from shardlog.adapters.postgresql.statements import TableStatements
from shardlog.ports.projections import TableChanges
from shardlog.ports.rows import table_shape
from shardlog.testing.services.postgresql import PostgresqlServer

Rows: TypeAlias = Sequence[tuple[object, ...]]
Driver: TypeAlias = psycopg.Connection[tuple[Any, ...]]
BATCH_ROWS, ROUNDS = 8_000, 5
TABLE = "written"
NAMES = SQL("flight, version, carrier, month, delay_min")
CREATE = SQL(
    "CREATE {} {} (flight text, version bigint, carrier text NOT NULL, month bigint NOT NULL, "
    "delay_min bigint NOT NULL{})"
)
KEY = SQL(", PRIMARY KEY (flight, version)")
COPY = SQL("COPY staged ({}) FROM STDIN").format(NAMES)
MERGE = SQL(
    "INSERT INTO written AS held ({0}) SELECT {0} FROM staged ON CONFLICT (flight, version) DO UPDATE SET "
    "carrier = excluded.carrier, month = excluded.month, delay_min = excluded.delay_min"
).format(NAMES)
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="of each way in each of its rounds")
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [
        (f"2013-01-{n:07}", 1, f"C{n % 16}", n % 12 + 1, n % 90 - 20)
        for n in range(2_000 if given.small else given.rows)
    ]
    ways: dict[str, Callable[[Driver, Rows], None]] = {"unnest": _unnest(), "copy": _copy}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with PostgresqlServer(DURABLE) as server, psycopg.connect(server.url, autocommit=True) as driver:
        driver.execute(CREATE.format(SQL("TEMPORARY TABLE"), Identifier("staged"), SQL("")))
        for _ in range(ROUNDS):
            for name, write in ways.items():
                driver.execute(CREATE.format(SQL("TABLE"), Identifier(TABLE), KEY))
                seconds[name].append(_timed(driver, rows, write))
                driver.execute("DROP TABLE written")
    figures: dict[str, object] = {f"{name}_rows_per_s": len(rows) / median(found) for name, found in seconds.items()}
    figures["copy_ratio"] = median(seconds["unnest"]) / median(seconds["copy"])
    report(figures, given.json)


def _timed(driver: Driver, rows: Rows, write: Callable[[Driver, Rows], None]) -> float:
    begun = perf_counter()
    for first in range(0, len(rows), BATCH_ROWS):
        with driver.transaction():
            write(driver, rows[first : first + BATCH_ROWS])
    return perf_counter() - begun


def _unnest() -> Callable[[Driver, Rows], None]:
    statements = TableStatements(Table(TABLE, MetaData()), table_shape(Flying))

    def write(driver: Driver, rows: Rows) -> None:
        statements.write(driver, TableChanges(Flying, rows, {}, {}, ()))

    return write


def _copy(driver: Driver, rows: Rows) -> None:
    driver.execute("TRUNCATE staged")
    lines = [
        f"{flight.translate(_ESCAPED)}\t{version}\t{carrier.translate(_ESCAPED)}\t{month}\t{delay}\n"  # type: ignore[attr-defined]  # both are texts
        for flight, version, carrier, month, delay in rows
    ]
    with driver.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            copy.write("".join(lines))
        cursor.execute(MERGE)


if __name__ == "__main__":
    main()
