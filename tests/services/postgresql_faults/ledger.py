"""The ledger that is projected while things go wrong: its events, its rows, and what may be wrong with its handlers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

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
    RecordedRejection,
    Row,
    State,
    add,
    increment,
    put,
    remove,
    update,
)
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.records import Accepted, Rejected
from tests.unit.projector.log import LogWriter

SHARDS = 8
FRAME_ENTRIES = 25
BUCKETS = 7
STREAMS = 400
POISONED = 12
POISON = 13
"""An amount whose handler always raises; it happens to streams that begin with `poison` alone."""
MISFIT = 2**63
"""An amount that no column of PostgreSQL's takes."""
TROUBLED = 5
"""While there is trouble, every amount that this divides makes the handler raise, but of the streams named above."""


class Account(State): ...


class Opened(Event):
    owner: str


class Moved(Event):
    amount: int
    bucket: int
    note: str | None = None


class Closed(Event): ...


account = Aggregate("account", initial=Account(), routing_parts=1)
account.ignores(Opened, Moved, Closed)


class Balance(Row, name="balances"):
    """Written by the events of one account."""

    account: Key[str]
    owner: str
    balance: int = 0
    moves: int = 0
    changed_at: AwareDatetime | None = None


class Move(Row, name="moves"):
    """One row an event."""

    account: Key[str]
    version: Key[int]
    amount: int
    share: Decimal
    note: str | None
    at: AwareDatetime


class Bucket(Row, name="buckets"):
    """Incremented by all shards, so that workers meet here."""

    bucket: Key[int]
    opened: int = 0
    moves: int = 0
    amount: int = 0


class WiderBucket(Row, name="buckets"):
    """As a developer changes a row class who forgets the version."""

    bucket: Key[int]
    opened: int = 0
    moves: int = 0
    amount: int = 0
    largest: int = 0


ROWS: Mapping[str, tuple[type[Row], type[Row], Any]] = {
    "ledger": (Balance, Move, Bucket),
    "wider": (Balance, Move, WiderBucket),
}
"""The row classes of the code that is deployed, by name."""


def ledger(
    trouble: Path | None = None, version: int = 1, rows: tuple[type[Row], type[Row], Any] = ROWS["ledger"]
) -> tuple[Application, Projection]:
    """The application, and its projection. trouble: while this file is there, handlers raise for some events."""
    tables, counter = Projection("ledger", rows=list(rows), version=version), rows[2]

    @tables.on
    def opened(event: Opened, recorded: Recorded) -> Changes:
        bucket = len(event.owner) % BUCKETS
        return put(Balance(account=recorded.id, owner=event.owner)), increment(counter, bucket, opened=1)

    @tables.on
    def moved(event: Moved, recorded: Recorded) -> Changes:
        is_poison = recorded.id.startswith("poison")
        if is_poison and event.amount == POISON:
            raise ValueError(f"an amount of {event.amount}")
        if not is_poison and trouble is not None and event.amount % TROUBLED == 0 and trouble.exists():
            raise ConnectionError("what the handler needs is not there")
        changes: list[Any] = [
            put(
                Move(
                    account=recorded.id,
                    version=recorded.version,
                    amount=event.amount,
                    share=Decimal(event.amount) / 8,
                    note=event.note,
                    at=recorded.time,
                )
            ),
            update(Balance, recorded.id, balance=add(event.amount), moves=add(1), changed_at=recorded.time),
        ]
        if event.amount < 0:  # another group of columns: its statement comes before or after the other's
            changes.append(increment(counter, event.bucket, moves=1))
        else:
            changes.append(increment(counter, event.bucket, moves=1, amount=event.amount))
        return changes

    @tables.on
    def closed(event: Closed, recorded: Recorded) -> Changes:
        return remove(Balance, recorded.id)

    @tables.on_rejected
    def refused(rejection: RecordedRejection, recorded: Recorded) -> Changes:
        return increment(counter, BUCKETS, moves=1)

    return Application([Domain("ledger", aggregates=[account])], [tables]), tables


def write_journal(directory: Path, events: int, random: Random, *, poison: float = 0.03) -> SqliteJournal:
    """A journal of so many events or a few more, in frames round the shards; a record is invalid here and there.

    poison: the share of events that happen to streams of which some event cannot be handled.
    """
    journal = SqliteJournal(directory, SHARDS)
    log = LogWriter(journal, SHARDS)
    streams = [(f"l{number}:a", log.shard_of(f"l{number}:a")) for number in range(STREAMS)]
    poisoned = [(f"poison{number}:a", log.shard_of(f"poison{number}:a")) for number in range(POISONED)]
    by_shard = [[id for id, where in streams if where == shard] for shard in range(SHARDS)]
    poisoned_by_shard = [[id for id, where in poisoned if where == shard] for shard in range(SHARDS)]
    written = frames = 0
    while written < events:
        shard = frames % SHARDS
        entries: list[Accepted[Any] | Rejected] = []
        for _ in range(FRAME_ENTRIES):
            is_poisoned = bool(poisoned_by_shard[shard]) and random.random() < poison
            id = random.choice(poisoned_by_shard[shard] if is_poisoned else by_shard[shard])
            if random.random() < 0.02:
                entries.append(log.rejected(id, "refused"))
            else:
                entries.append(log.accepted(id, some_event(id, random)))
                written += 1
        log.frame(shard, entries)
        frames += 1
        if random.random() < 0.01:
            log.append(shard, b'["shardlog",1,"frame","of another journal"]')
    log.wait_until_written()
    return journal


def some_event(id: str, random: Random) -> Event:
    """What may happen to an account."""
    kind = random.random()
    if kind < 0.05:
        return Opened(owner="o" * random.randrange(1, 12))
    if kind < 0.07:
        return Closed()
    bucket = random.randrange(BUCKETS)
    if not id.startswith("poison"):
        note = random.choice([None, "plain", 'quoted "\\" {,} NULL', "äöü 🛩"])
        return Moved(amount=random.randrange(-100, 1_000), bucket=bucket, note=note)
    if kind < 0.15:
        return Moved(amount=POISON, bucket=bucket)
    if kind < 0.20:
        return Moved(amount=MISFIT, bucket=bucket)
    if kind < 0.25:
        return Moved(amount=1, bucket=bucket, note="a zero character: \0")
    return Moved(amount=random.randrange(20, 1_000), bucket=bucket)
