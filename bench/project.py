"""How fast events in a journal become committed rows: counters, and one row an event.

    python -m bench.project --database sqlite --events 400000 --json

The journal is SQLite, in frames of 200 with all ids set. Beside it, in the same run, a loop without shardlog does
the same counting: it reads the same values, decodes them with msgspec, and upserts the sums in one transaction a
batch.
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

from bench.postgresql import DURABLE
from bench.report import report
from shardlog import (
    Aggregate,
    Application,
    AwareDatetime,
    Changes,
    Domain,
    Event,
    Key,
    Projection,
    Recorded,
    Row,
    State,
    increment,
    put,
)
from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.envelope import body_of, claim_value, frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import Accepted, ClaimBody, RawEvent, decode_raw_frame, encode_claim, encode_frame
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.runner import Projector
from shardlog.testing.services.postgresql import PostgresqlServer

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
NONCE = "0" * 32
SHARDS = 4
FRAME_EVENTS = 200
CARRIERS, MONTHS = 16, 12
COMMANDS_A_MINUTE = 3
TIME = 1_357_020_000_000_000


class Flight(State): ...


class Flown(Event):
    """As the events of the flights example: what it counts by, and what it sums."""

    carrier: str
    month: int
    delay_min: int


class Fuelled(Event):
    """An event that no projection hears."""

    litres: int
    supplier: str


flight = Aggregate("flight", initial=Flight())
flight.ignores(Flown, Fuelled)


class Month(Row, name="bench_months"):
    carrier: Key[str]
    month: Key[int]
    flights: int = 0
    delay_sum_min: int = 0


class Flying(Row, name="bench_flights"):
    flight: Key[str]
    version: Key[int]
    carrier: str
    month: int
    delay_min: int


class Wide(Row, name="bench_wide"):
    """What is last known of a carrier's month on a day of it, in many columns."""

    carrier: Key[str]
    month: Key[int]
    place: Key[int]
    flight: str
    version: int
    delay_min: int
    actor: str
    tenant: str
    correlation: str
    command: str
    note: str | None
    at: AwareDatetime
    occurred_at: AwareDatetime


counters = Projection("counters", rows=[Month])
whole = Projection("whole", rows=[Flying])
wide = Projection("wide", rows=[Wide])


@counters.on
def counted(event: Flown, recorded: Recorded) -> Changes:
    return increment(Month, event.carrier, event.month, flights=1, delay_sum_min=event.delay_min)


@whole.on
def kept(event: Flown, recorded: Recorded) -> Changes:
    return put(
        Flying(
            flight=recorded.id,
            version=recorded.version,
            carrier=event.carrier,
            month=event.month,
            delay_min=event.delay_min,
        )
    )


@wide.on
def known(event: Flown, recorded: Recorded) -> Changes:
    return put(
        Wide(
            carrier=event.carrier,
            month=event.month,
            place=int(recorded.id[-4:]),
            flight=recorded.id,
            version=recorded.version,
            delay_min=event.delay_min,
            actor=recorded.actor,
            tenant=recorded.tenant,
            correlation=recorded.correlation_id,
            command=recorded.command_id,
            note=None,
            at=recorded.time,
            occurred_at=recorded.occurred_at,
        )
    )


application = Application([Domain("bench", aggregates=[flight])], [counters, whole, wide])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql"))
    parser.add_argument("--events", type=int, default=400_000, help="events that are heard")
    parser.add_argument("--unheard", type=int, default=0, help="events beside each that nobody hears")
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.events = 2_000
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        directory = Path(place)
        journal = SqliteJournal(directory / "journal", SHARDS)
        events = fill(journal, given.events, given.unheard)
        figures: dict[str, object] = {"events": events, "unheard_a_heard_event": given.unheard}
        figures["journal_bytes_an_event"] = sum(len(value) for _, value in values(journal)) / events
        figures["bare_loop_events_per_s"] = events / bare_loop(journal, directory / "bare.sqlite")
        for name, projections, prefix in (
            ("counters", [counters], ""),
            ("rows", [whole], "one_row_an_event_"),
            ("wide", [wide], "wide_upserts_"),
            ("both", [counters, whole], "both_together_"),
        ):
            with opened_store(given.database, directory / f"{name}.sqlite") as store:
                wall, cpu = project(journal, projections, store, events)
            figures[f"{prefix}events_per_s"] = events / wall
            figures[f"{prefix}cpu_us_an_event"] = cpu / events * 1e6
        figures["ratio_to_bare_loop"] = figures["events_per_s"] / figures["bare_loop_events_per_s"]  # type: ignore[operator]  # both are floats
        journal.close()
    report(figures, given.json)


def fill(journal: SqliteJournal, events: int, unheard: int) -> int:
    """Write frames round the shards. Returns how many events were written that are heard."""
    readers = [Reader(JOURNAL, shard, SHARDS) for shard in range(SHARDS)]
    writers = [journal.writer(shard) for shard in range(SHARDS)]

    def append(shard: int, value: bytes) -> None:
        writers[shard].append(value, lambda _report: None)
        readers[shard].pass_over(readers[shard].position, value)

    for shard in range(SHARDS):
        claim = encode_claim(ClaimBody("bench", "", 0, TIME, ""))
        append(shard, claim_value(JOURNAL, shard, SHARDS, 1, NONCE, claim))
    written = 0
    while written < events:
        count = min(FRAME_EVENTS, events - written)
        reader = readers[written // FRAME_EVENTS % SHARDS]
        entries = [entry(written + place, unheard) for place in range(count)]
        body = encode_frame(TIME + written * 1_000, {}, entries)
        append(reader.shard, frame_value(reader.frame_prefix, reader.seq + 1, reader.head, body))
        written += count
    for shard, reader in enumerate(readers):
        while journal.offsets(shard)[1] < reader.position:
            pass
    for writer in writers:
        writer.abandon(5_000)
    return written


def entry(number: int, unheard: int) -> bytes:
    """A command with one event that is heard, and some that are not."""
    id = f"2013-{number % MONTHS + 1:02}-{number:07}"
    flown = {"carrier": f"C{number % CARRIERS}", "month": number % MONTHS + 1, "delay_min": number % 90 - 20}
    events = [RawEvent("flight/flown/1", id, 1, msgspec.Raw(msgspec.json.encode(flown)))]
    noise = msgspec.Raw(b'{"litres":%d,"supplier":"a supplier of fuel"}' % number)
    events += [RawEvent("flight/fuelled/1", id, 2 + more, noise) for more in range(unheard)]
    trace = f"00-{number:032x}-{number:016x}-01"
    user, hex32 = f"user-{number % 50:04}", f"{number:032x}"
    occurred_at = TIME + number // COMMANDS_A_MINUTE * 60_000_000
    command = Accepted[RawEvent](
        category="flight",
        id=id,
        command="fly",
        command_id=hex32,
        tenant="acme",
        actor=user,
        channel="feeder",
        correlation=hex32,
        causation="",
        traceparent=trace,
        occurred_at=occurred_at,
        check=number,
        origin=None,
        reply_to="",
        events=events,
        sends=[],
    )
    return msgspec.json.encode(command)


def values(journal: SqliteJournal) -> Iterator[tuple[int, bytes]]:
    """All values of all shards."""
    for shard in range(SHARDS):
        yield from journal.read(shard, 0)


@contextmanager
def opened_store(database: str, path: Path) -> Iterator[ProjectionStore]:
    """A store on an empty database: a SQLite file, or a PostgreSQL server of its own, durable as in production."""
    with ExitStack() as closing:
        if database == "sqlite":
            store: ProjectionStore = SqlProjectionStore(path)
        else:
            store = PostgresqlProjectionStore(closing.enter_context(PostgresqlServer(DURABLE)).url)
        closing.callback(store.close)
        yield store


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
