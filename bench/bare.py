"""What no engine in Python on SQLite can beat: the same bytes into SQLite, and the same messages through msgspec.

Neither knows streams, states, versions or repeats; both are loops of the fewest calls that we know of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter

import msgspec

from bench.shard import DrivenShard, ListInput
from bench.workload import Deposit, Deposited, Withdraw
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.executor.limits import Limits
from shardlog.executor.requests import CommandRecord, decode_record

FRAMES_A_TRANSACTION = 4
"""As many as a shard may have on their way: the most that its writer can put into one transaction."""


def frames(records: Sequence[bytes]) -> list[bytes]:
    """The journal's values for these records: what a shard appends, in frames of 200."""
    journal, source = MemoryJournal(1), ListInput(records)
    shard = DrivenShard(journal, Limits(), [source])
    shard.serve()
    while shard.executor.settled(source.name) < len(records):
        shard.step()
    shard.close()
    return [value for _, value in journal.read(0, 0)]


def sqlite_seconds(path: Path, values: Sequence[bytes]) -> float:
    """Seconds to insert the values into a plain table, durable at each commit as the journal is."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE record (offset INTEGER PRIMARY KEY, value BLOB NOT NULL)")
        began = perf_counter()
        for first in range(0, len(values), FRAMES_A_TRANSACTION):
            group = values[first : first + FRAMES_A_TRANSACTION]
            rows = [field for place, value in enumerate(group) for field in (first + place, value)]
            connection.execute(f"INSERT INTO record VALUES {', '.join(['(?, ?)'] * len(group))}", rows)
        return perf_counter() - began


def msgspec_seconds(records: Sequence[bytes]) -> float:
    """Seconds to decode each record and its typed command, and to encode an event and an entry of a frame."""
    decode = typed_commands()
    began = perf_counter()
    for value in records:
        record = decode_record(value)
        entry_of(record, decode[record.command](record.payload), "feeder")
    return perf_counter() - began


def typed_commands() -> dict[str, Callable[[msgspec.Raw], Deposit | Withdraw]]:
    """By name, what decodes a command."""
    return {"deposit": msgspec.json.Decoder(Deposit).decode, "withdraw": msgspec.json.Decoder(Withdraw).decode}


_encode = msgspec.json.Encoder().encode


def entry_of(record: CommandRecord, command: Deposit | Withdraw, channel: str) -> bytes:
    """An entry with one event, as a frame holds it."""
    event = ("account/deposited/1", record.id, 1, msgspec.Raw(_encode(Deposited(amount=command.amount))))
    return _encode(
        (
            "a",
            record.category,
            record.id,
            record.command,
            record.command_id,
            record.tenant,
            record.actor,
            channel,
            record.correlation,
            record.causation,
            record.traceparent,
            record.occurred_at,
            0,
            record.origin,
            record.reply_to,
            (event,),
            (),
        )
    )
