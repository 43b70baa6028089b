"""What `bench.project` projects: events, rows, projections, and a journal in SQLite full of such events."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

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
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.envelope import claim_value, frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import Accepted, ClaimBody, RawEvent, encode_claim, encode_frame

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


class Frames:
    """Writes frames round the shards of a journal. To be closed."""

    def __init__(self, journal: SqliteJournal) -> None:
        self._journal = journal
        self._readers = [Reader(JOURNAL, shard, SHARDS) for shard in range(SHARDS)]
        self._writers = [journal.writer(shard) for shard in range(SHARDS)]
        self._next = 0
        for shard in range(SHARDS):
            claim = encode_claim(ClaimBody("bench", "", 0, TIME, ""))
            self._append(shard, claim_value(JOURNAL, shard, SHARDS, 1, NONCE, claim))

    def write(self, time_us: int, entries: list[bytes]) -> tuple[int, int]:
        """Append a frame of that time; returns its shard and offset."""
        reader = self._readers[self._next]
        self._next = (self._next + 1) % SHARDS
        offset = reader.position
        body = encode_frame(time_us, {}, entries)
        self._append(reader.shard, frame_value(reader.frame_prefix, reader.seq + 1, reader.head, body))
        return reader.shard, offset

    def wait(self) -> None:
        """Until all of it is in the log."""
        for shard, reader in enumerate(self._readers):
            while self._journal.offsets(shard)[1] < reader.position:
                time.sleep(0.001)

    def close(self) -> None:
        """Let go of the writers."""
        for writer in self._writers:
            writer.abandon(5_000)

    def _append(self, shard: int, value: bytes) -> None:
        self._writers[shard].append(value, lambda _report: None)
        self._readers[shard].pass_over(self._readers[shard].position, value)


def fill(journal: SqliteJournal, events: int, unheard: int) -> int:
    """Write frames round the shards. Returns how many events were written that are heard."""
    frames = Frames(journal)
    written = 0
    while written < events:
        count = min(FRAME_EVENTS, events - written)
        frames.write(TIME + written * 1_000, [entry(written + place, unheard) for place in range(count)])
        written += count
    frames.wait()
    frames.close()
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
