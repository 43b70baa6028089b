"""Dead letters in SQL: what a batch adds, handles and skips, and what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from shardlog.adapters.sql.tables import DEAD_LETTERS, of_build
from shardlog.errors import CheckpointMoved
from shardlog.model.recorded import Position
from shardlog.ports.builds import BuildKey
from shardlog.ports.projections import Batch, DeadLetter, LetterPlace, Stream

Look: TypeAlias = Callable[[Connection, BuildKey, Sequence[Stream]], set[Stream]]
"""As `open_of_each`."""
_HELD = DEAD_LETTERS.c
_PLACE = (_HELD.journal, _HELD.shard, _HELD.log_offset, _HELD.log_index)
_ORDER = (_HELD.category, _HELD.id, *_PLACE)


def places(connection: Connection, key: BuildKey) -> list[LetterPlace]:
    """Where a build's dead letters stand, by stream in order of positions."""
    wanted = select(*_PLACE, _HELD.category, _HELD.id, _HELD.state)
    rows = connection.execute(wanted.where(of_build(DEAD_LETTERS, key)).order_by(*_ORDER)).mappings()
    return [LetterPlace(_position(row), row["category"], row["id"], row["state"]) for row in rows]


def contents(connection: Connection, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
    """A build's dead letters, or one stream's among them, by stream in order of positions."""
    wanted = select(DEAD_LETTERS).where(of_build(DEAD_LETTERS, key)).order_by(*_ORDER)
    if stream is not None:
        wanted = wanted.where(_HELD.category == stream[0], _HELD.id == stream[1])
    return [_letter(row) for row in connection.execute(wanted).mappings()]


def write(connection: Connection, batch: Batch, look: Look) -> None:
    """Add, forget and skip. look: finds and locks what letters are parked behind.

    Raises CheckpointMoved where another worker has settled what this batch builds on.
    """
    key = batch.build.key
    for position in batch.handled:
        _expect_one(key, position, connection.execute(delete(DEAD_LETTERS).where(_at(key, position))).rowcount)
    for position in batch.skipped:
        skip = update(DEAD_LETTERS).where(_at(key, position)).values(state="skipped")
        _expect_one(key, position, connection.execute(skip).rowcount)
    if batch.letters:
        _expect_open(connection, key, _parked_behind_stored(batch.letters), look)
        connection.execute(insert(DEAD_LETTERS), [_values(key, letter) for letter in batch.letters])


def _parked_behind_stored(letters: Sequence[DeadLetter]) -> list[Stream]:
    """The streams whose first letter here is parked, so that what it is parked behind must be there."""
    first: dict[Stream, DeadLetter] = {}
    for letter in letters:
        first.setdefault((letter.category, letter.id), letter)
    return [stream for stream, letter in first.items() if letter.state == "parked"]


def _at(key: BuildKey, position: Position) -> ColumnElement[bool]:
    return and_(
        of_build(DEAD_LETTERS, key),
        _HELD.journal == position.journal,
        _HELD.shard == position.shard,
        _HELD.log_offset == position.offset,
        _HELD.log_index == position.index,
        _HELD.state != "skipped",
    )


def _expect_one(key: BuildKey, position: Position, count: int) -> None:
    if count != 1:
        raise CheckpointMoved(
            f"projection {key.projection!r}: there is no dead letter at {position.token} any more: another worker has "
            "settled it. Nothing was written here; list the dead letters again."
        )


def _expect_open(connection: Connection, key: BuildKey, streams: Sequence[Stream], look: Look) -> None:
    """Lock what letters are parked behind, in each stream. Another worker may have settled all of it meanwhile."""
    if not streams:
        return
    gone = set(streams) - look(connection, key, streams)
    if gone:
        category, id = min(gone)
        raise CheckpointMoved(
            f"projection {key.projection!r}: {category}/{id} has no dead letters any more: another worker has settled "
            "them. Nothing was written here; the batch is planned anew."
        )


def open_of_each(connection: Connection, key: BuildKey, streams: Sequence[Stream]) -> set[Stream]:
    """Those of the streams that have a dead letter which is not skipped, one of each locked: a statement a stream."""
    one = one_open(key, bindparam("in_category"), bindparam("in_id"))
    found = (connection.execute(one, {"in_category": category, "in_id": id}).first() for category, id in streams)
    return {stream for stream, row in zip(streams, found, strict=True) if row is not None}


def one_open(key: BuildKey, category: ColumnElement[str], id: ColumnElement[str]) -> Select[int]:
    """One dead letter of a stream that is not skipped, locked."""
    ahead = select(_HELD.log_offset).where(
        of_build(DEAD_LETTERS, key), _HELD.category == category, _HELD.id == id, _HELD.state != "skipped"
    )
    return ahead.limit(1).with_for_update()


def _values(key: BuildKey, letter: DeadLetter) -> dict[str, object]:
    return {
        "projection": key.projection,
        "version": key.version,
        "build": key.number,
        "journal": letter.position.journal,
        "shard": letter.position.shard,
        "log_offset": letter.position.offset,
        "log_index": letter.position.index,
        "category": letter.category,
        "id": letter.id,
        "stream_version": letter.stream_version,
        "event_type": letter.event_type,
        "state": letter.state,
        "error": letter.error,
        "traceback": letter.traceback,
        "recorded": letter.recorded,
        "data": letter.data,
    }


def _position(row: RowMapping) -> Position:
    return Position(row["journal"], row["shard"], row["log_offset"], row["log_index"])


def _letter(row: RowMapping) -> DeadLetter:
    names = ("category", "id", "stream_version", "event_type", "state", "error", "traceback", "recorded", "data")
    return DeadLetter(position=_position(row), **{name: row[name] for name in names})
