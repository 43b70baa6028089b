"""How fast events in a journal become committed rows: counters, one row an event, wide upserts; and how soon.

    python -m bench.project --database sqlite --events 400000 --json

The journal is SQLite, in frames of 200 with all ids set. Beside it, in the same run, a loop without shardlog does
the same counting: it reads the same values, decodes them with msgspec, and upserts the sums in one transaction a
batch. On PostgreSQL two peers keep the same counters: an agent of faust-streaming and the projection runner of the
library `eventsourcing`. The lag is that of a process that projects while another one appends 50,000 events a second;
once alone, and once while a third process builds the same counters from the beginning, again and again.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter, process_time

import msgspec

from bench import project_build, project_lag
from bench.projected import (
    JOURNAL,
    SHARDS,
    Flown,
    application,
    counters,
    fill,
    values,
    whole,
    wide,
)
from bench.report import report
from shardlog import Projection
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.envelope import body_of
from shardlog.journal.records import decode_raw_frame
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.runner import Projector

KINDS = (
    ("counters", [counters], ""),
    ("rows", [whole], "one_row_an_event_"),
    ("wide", [wide], "wide_upserts_"),
    ("both", [counters, whole], "both_together_"),
)
LAG_SECONDS = 20.0
SMALL_EVENTS = 2_000


def main() -> None:
    given = _arguments()
    is_small = given.small
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place, _databases(given.database) as opened:
        directory = Path(place)
        journal = SqliteJournal(directory / "journal", SHARDS)
        events = fill(journal, SMALL_EVENTS if is_small else given.events, given.unheard)
        figures |= {"events": events, "unheard_a_heard_event": given.unheard}
        figures["journal_bytes_an_event"] = sum(len(value) for _, value in values(journal)) / events
        figures["bare_loop_events_per_s"] = events / bare_loop(journal, directory / "bare.sqlite")
        for name, projections, prefix in KINDS:
            with opened(directory / f"{name}.sqlite", name) as store:
                wall, cpu = project(journal, projections, store, events)
                figures[f"{prefix}events_per_s"] = events / wall
                figures[f"{prefix}cpu_us_an_event"] = cpu / events * 1e6
                if name == "counters":
                    figures["rebuild_events_per_s"] = events / rebuild(journal, counters, store)
        figures["rows_per_s"] = figures["one_row_an_event_events_per_s"]
        figures["ratio_to_bare_loop"] = figures["events_per_s"] / figures["bare_loop_events_per_s"]  # type: ignore[operator]  # both are floats
        journal.close()
        with opened(directory / "lag.sqlite", "lag") as store:
            seconds = 1.0 if is_small else LAG_SECONDS
            figures |= project_lag.figures(directory / "lag", store, seconds)
        if given.database == "postgresql":
            with opened(directory / "beside.sqlite", "beside") as store:
                seconds = 1.0 if is_small else LAG_SECONDS
                figures |= project_build.figures(directory, opened.url, store, seconds, figures)
        if given.database == "postgresql" and not given.without_peers:
            from bench import project_peers

            figures |= project_peers.figures(opened.url, float(str(figures["events_per_s"])), is_small)
    report(figures, given.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.add_argument("--events", type=int, default=400_000, help="events that are heard")
    parser.add_argument("--unheard", type=int, default=0, help="events beside each that nobody hears")
    parser.add_argument("--without-peers", action="store_true", help="shardlog alone")
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


class Databases:
    """Empty databases: a SQLite file each, or a schema each of one PostgreSQL server. url: of that server, or ""."""

    def __init__(self, url: str = "") -> None:
        self.url = url

    @contextmanager
    def __call__(self, path: Path, schema: str) -> Iterator[ProjectionStore]:
        """A store on one that nobody else has."""
        if self.url:
            from shardlog.adapters.postgresql import PostgresqlProjectionStore

            store: ProjectionStore = PostgresqlProjectionStore(self.url, schema=schema)
        else:
            store = SqlProjectionStore(path)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def _databases(database: str) -> Iterator[Databases]:
    """PostgreSQL is a server of its own, durable as in production."""
    with ExitStack() as closes:
        if database == "sqlite":
            yield Databases()
        else:
            from bench.postgresql import DURABLE
            from shardlog.testing.services.postgresql import PostgresqlServer

            yield Databases(closes.enter_context(PostgresqlServer(DURABLE)).url)


def project(
    journal: SqliteJournal, projections: list[Projection], store: ProjectionStore, events: int
) -> tuple[float, float]:
    """Seconds, and seconds of this process's CPU, to project the whole journal."""
    projector = Projector(journal, JOURNAL, SHARDS, application, projections, store)
    wall, cpu = perf_counter(), process_time()
    projector.drain()
    wall, cpu = perf_counter() - wall, process_time() - cpu
    assert all(handled == events for handled in projector.handled.values()), projector.handled
    return wall, cpu


def rebuild(journal: SqliteJournal, projection: Projection, store: ProjectionStore) -> float:
    """Seconds to build a projection again that is there already."""
    projector = Projector(journal, JOURNAL, SHARDS, application, [projection], store)
    begun = perf_counter()
    projector.rebuild(projection.name)
    return perf_counter() - begun


def bare_loop(journal: SqliteJournal, path: Path) -> float:
    """Seconds to count the same without shardlog: no verdicts, no records, no checkpoints, no handlers."""
    decode = msgspec.json.Decoder(Flown).decode
    sums: dict[tuple[str, int], list[int]] = {}
    begun = perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE m (carrier TEXT, month INTEGER, n INTEGER, d INTEGER, PRIMARY KEY (carrier, month))"
        )
        for place, (_, value) in enumerate(values(journal)):
            if b'"claim"' in value[:30]:
                continue
            for command in decode_raw_frame(body_of(value)).entries:
                for record in command.events:  # type: ignore[union-attr]  # this journal has no others
                    if record.type == "flight/flown/1":
                        event = decode(record.data)
                        found = sums.setdefault((event.carrier, event.month), [0, 0])
                        found[0] += 1
                        found[1] += event.delay_min
            if place % 256 == 255:
                flush(connection, sums)
        flush(connection, sums)
    return perf_counter() - begun


def flush(connection: sqlite3.Connection, sums: dict[tuple[str, int], list[int]]) -> None:
    """Upsert the sums in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    upsert = "INSERT INTO m VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n, d = d + excluded.d"
    connection.executemany(upsert, [(*key, *found) for key, found in sums.items()])
    connection.execute("COMMIT")
    sums.clear()


if __name__ == "__main__":
    main()
