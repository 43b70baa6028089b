"""Random journals, as lists of what was recorded, so that a part of one can be written as a journal of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from shardlog import Event
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.journal.envelope import frame_value
from shardlog.journal.records import Accepted, Rejected, encode_frame
from shardlog.sharding import shard_of
from tests.unit.projector.bank import Closed, Deposited, Noted, Opened
from tests.unit.projector.log import JOURNAL, NONCE, TIME, LogWriter

SHARDS = 3
LEDGERS = [next(f"l{n}" for n in range(100) if shard_of(f"l{n}", SHARDS) == shard) for shard in range(SHARDS)]
TICK_US = 1_000
LATE_US = TIME + 10_000_000
FROM = TIME - 60_000_000
"""When things occur: around the times at which they are recorded, a minute before on."""


class Entry(NamedTuple):
    """One command of an account: its events, or the code it was refused with. occurred: in microseconds."""

    account: str
    events: tuple[Event, ...]
    refused: str | None
    occurred: int | None


class Frame(NamedTuple):
    """ticks: whether the clock goes on first. ghosts: how many invalid records stand before it, of a late time."""

    shard: int
    entries: tuple[Entry, ...]
    ticks: bool = True
    ghosts: int = 0


class Past(NamedTuple):
    """frames: with the time at which each was recorded."""

    frames: tuple[tuple[Frame, int], ...]

    def write(self) -> LogWriter:
        """As a journal, each frame at its time."""
        log = LogWriter(MemoryJournal(SHARDS), SHARDS)
        for frame, time in self.frames:
            for _ in range(frame.ghosts):
                _ghost(log, frame.shard)
            log.time = time - TICK_US
            log.frame(frame.shard, [_written(log, entry) for entry in frame.entries])
        return log


def pasts() -> st.SearchStrategy[Past]:
    """Some frames of accounts in all shards; several may have one time."""
    return st.lists(st.integers(0, SHARDS - 1).flatmap(_frames), min_size=1, max_size=8).map(_timed)


def _frames(shard: int) -> st.SearchStrategy[Frame]:
    events: st.SearchStrategy[Event] = st.one_of(
        st.just(Opened(owner="ann")),
        st.integers(1, 9).map(lambda amount: Deposited(amount=amount)),
        st.just(Closed()),
        st.just(Noted(text="-")),
    )
    entries = st.builds(
        Entry,
        st.sampled_from([f"{LEDGERS[shard]}:{name}" for name in "ab"]),
        st.lists(events, max_size=3).map(tuple),
        st.sampled_from([None, None, None, "too_much"]),
        st.none() | st.integers(0, 30).map(lambda n: FROM + 2_000_000 * n),
    )
    entry_lists = st.lists(entries, min_size=1, max_size=4).map(tuple)
    return st.builds(Frame, st.just(shard), entry_lists, st.booleans(), st.integers(0, 1))


def _timed(frames: Iterable[Frame]) -> Past:
    time, timed = TIME, []
    for frame in frames:
        time += TICK_US if frame.ticks else 0
        timed.append((frame, time))
    return Past(tuple(timed))


def _written(log: LogWriter, entry: Entry) -> Accepted[Any] | Rejected:
    if entry.refused is not None:
        refusal = log.rejected(entry.account, entry.refused)
        return msgspec.structs.replace(refusal, occurred_at=entry.occurred)
    return log.accepted(entry.account, *entry.events, occurred_at=entry.occurred)


def _ghost(log: LogWriter, shard: int) -> None:
    """A frame of a writer that is not believed, recorded late."""
    reader = log._readers[shard]
    prefix = frame_value(reader.frame_prefix, reader.seq + 5, reader.head, encode_frame(LATE_US, {}, []))
    assert NONCE.encode() in prefix and JOURNAL.encode() in prefix
    log.append(shard, prefix)
