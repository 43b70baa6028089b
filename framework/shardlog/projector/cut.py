"""What belongs to an "as of": how far each shard is read, and what is heard of the last frame. Pure.

Frame times never fall within a shard, so what was recorded by a time is a beginning of each shard. A token is exact in
its own shard: everything up to its entry, since a command is applied whole. Of the other shards it takes what was
recorded by the time of the token's frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from shardlog.errors import InvalidToken, UnknownFormat
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import decode_raw_frame, entry_indexes
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.projector.core import Source
from shardlog.projector.draft import position_of
from shardlog.projector.heard import FrameReader, Heard

OCCURRED = "occurred:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_time_of = re.compile(rb"\[(\d{1,16}),").match


class Recorded(msgspec.Struct, frozen=True):
    """What was recorded by a time, that of the frame (inclusive)."""

    time: datetime


class Occurred(msgspec.Struct, frozen=True):
    """What had occurred by a time (inclusive), whenever it was recorded."""

    time: datetime


AsOf: TypeAlias = Recorded | Occurred | Position


class End(msgspec.Struct, frozen=True):
    """Where one shard ends exactly: in the frame at `offset`, behind the event or entry of `index`."""

    shard: int
    offset: int
    index: int


class Cut(msgspec.Struct, frozen=True):
    """What is read and heard. The default takes everything.

    time: in microseconds; frames of a later one don't belong. end: of the one shard that ends elsewhere. occurred: what
    happened later is not heard.
    """

    time: int | None = None
    end: End | None = None
    occurred: datetime | None = None


def parse_as_of(text: str) -> AsOf:
    """What `--as-of` says: a recorded time, a token, or `occurred:` and a time.

    Raises ValueError, InvalidToken among them.
    """
    if text.startswith(OCCURRED):
        return Occurred(_time(text.removeprefix(OCCURRED), text))
    if text.count(".") >= 3:
        return Position.parse(text)
    return Recorded(_time(text, text))


def _time(text: str, whole: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{whole!r} is neither a recorded time (2026-03-01T12:00:00Z), nor a consistency token, nor a time of "
            f"occurrence ({OCCURRED}2026-03-01T12:00:00Z)"
        ) from None
    if time.tzinfo is None:
        kind = OCCURRED if whole.startswith(OCCURRED) else ""
        raise ValueError(f"{whole!r} has no time zone: write {kind}{time.isoformat()}Z for UTC")
    return time


# -- from what was asked for to a cut ----------------------------------------------------------------------------------
def cut_at_time(as_of: Recorded | Occurred) -> Cut:
    """The cut of a time."""
    if isinstance(as_of, Occurred):
        return Cut(occurred=as_of.time)
    return Cut(time=(as_of.time - _EPOCH) // _MICROSECOND)


def cut_at_position(
    position: Position,
    source: Source,
    values: Iterable[tuple[int, bytes]],
    passed: Callable[[int], object] = lambda offset: None,
) -> Cut:
    """The cut of a token. values: what its shard holds, from the beginning, as far as the token at least.

    passed: called with each offset. Raises InvalidToken where the journal has no such event or entry, and what stops a
    reader.
    """
    refuse_foreign(position, source)
    reader = Reader(source.journal, position.shard, source.shards)
    for offset, value in values:
        verdict = reader.pass_over(offset, value)
        passed(offset)
        if offset < position.offset:
            continue
        if offset > position.offset or not isinstance(verdict, FrameTaken):
            break
        frame = decode_raw_frame(verdict.body)
        first = 0
        for entry in frame.entries:
            behind = first + entry_indexes(entry)
            if position.index < behind:
                return Cut(frame.time, End(position.shard, offset, behind - 1))
            first = behind
        break
    raise InvalidToken(
        f"{position.token}: there is no event and no rejection at this place of the journal: take the token as it was "
        "given, or a recorded time"
    )


def refuse_foreign(position: Position, source: Source) -> None:
    """Raises InvalidToken for a place in another journal, or in a shard that there is not."""
    if position.journal != source.journal:
        raise InvalidToken(f"{position.token} is a place in another journal than {source.journal}")
    if position.shard >= source.shards:
        raise InvalidToken(f"{position.token} names shard {position.shard}, and there are {source.shards}, from 0")


# -- how far, and what -------------------------------------------------------------------------------------------------
def end_of(
    cut: Cut,
    reader: Reader,
    values: Iterable[tuple[int, bytes]],
    end: int,
    passed: Callable[[int], object] = lambda offset: None,
) -> int:
    """The first offset of a shard that does not belong to the cut; `end` where all does.

    reader: at the shard's beginning. values: what it holds from there. passed: called with each offset. Raises what
    stops a reader.
    """
    if cut.end is not None and reader.shard == cut.end.shard:
        return cut.end.offset + 1
    if cut.time is None:
        return end
    for offset, value in values:
        if offset >= end:
            break
        verdict = reader.pass_over(offset, value)
        passed(offset)
        if isinstance(verdict, FrameTaken) and frame_time(reader.shard, offset, verdict.body) > cut.time:
            return offset
    return end


def frame_time(shard: int, offset: int, body: memoryview) -> int:
    """When a valid frame was recorded, in microseconds, without decoding the rest. Raises UnknownFormat."""
    found = _time_of(body)
    if found is None:
        raise UnknownFormat(shard, offset, "a valid frame does not decode as format 1: it does not begin with its time")
    return int(found[1])


def kept(cut: Cut, heard: Sequence[Heard]) -> list[Heard]:
    """What of one frame belongs to the cut."""
    if cut.occurred is not None:
        return [item for item in heard if item[2].occurred_at <= cut.occurred]
    if cut.end is None:
        return list(heard)
    return [item for item in heard if _is_before(position_of(item[2]), cut.end)]


def _is_before(position: Position, end: End) -> bool:
    return (position.shard, position.offset) != (end.shard, end.offset) or position.index <= end.index


class CutReader(FrameReader):
    """Decodes frames as FrameReader does, and leaves out what does not belong to a cut."""

    def __init__(self, application: Application, projections: Iterable[Projection], journal: str, cut: Cut) -> None:
        super().__init__(application, projections, journal)
        self._cut = cut

    def read(self, shard: int, offset: int, body: bytes | memoryview) -> list[Heard]:
        """As of FrameReader."""
        return kept(self._cut, super().read(shard, offset, body))
