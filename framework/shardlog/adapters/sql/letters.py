"""Dead letters in SQL: what a batch adds, handles and skips, and what is there."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, select, update

from shardlog.adapters.sql.tables import DEAD_LETTERS, of_build
from shardlog.errors import CheckpointMoved
from shardlog.model.recorded import Position
from shardlog.ports.builds import BuildKey
from shardlog.ports.projections import Batch, DeadLetter, LetterPlace

_HELD = DEAD_LETTERS.c
_PLACE = (_HELD.journal, _HELD.shard, _HELD.log_offset, _HELD.log_index)
_ORDER = (_HELD.category, _HELD.id, *_PLACE)


def places(connection: Connection, key: BuildKey) -> list[LetterPlace]:
    """Where a build's dead letters stand, by stream in order of positions."""
    wanted = select(*_PLACE, _HELD.category, _HELD.id, _HELD.state)
    rows = connection.execute(wanted.where(of_build(DEAD_LETTERS, key)).order_by(*_ORDER)).mappings()
    return [LetterPlace(_position(row), row["category"], row["id"], row["state"]) for row in rows]


def contents(connection: Connection, key: BuildKey) -> list[DeadLetter]:
    """A build's dead letters, by stream in order of positions."""
    wanted = select(DEAD_LETTERS).where(of_build(DEAD_LETTERS, key)).order_by(*_ORDER)
    return [_letter(row) for row in connection.execute(wanted).mappings()]


def write(connection: Connection, batch: Batch) -> None:
    """Add, forget and skip. Raises CheckpointMoved where another worker has settled what this batch builds on."""
    key = batch.build.key
    for position in batch.handled:
        _expect_one(key, position, connection.execute(delete(DEAD_LETTERS).where(_at(key, position))).rowcount)
    for position in batch.skipped:
        skip = update(DEAD_LETTERS).where(_at(key, position)).values(state="skipped")
        _expect_one(key, position, connection.execute(skip).rowcount)
    for letter in batch.letters:
        if letter.state == "parked":
            _expect_open(connection, key, letter)
        connection.execute(insert(DEAD_LETTERS), _values(key, letter))


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


def _expect_open(connection: Connection, key: BuildKey, letter: DeadLetter) -> None:
    """Lock what the letter is parked behind. Another worker may have settled all of it since this one looked."""
    ahead = select(_HELD.log_offset).where(
        of_build(DEAD_LETTERS, key),
        _HELD.category == letter.category,
        _HELD.id == letter.id,
        _HELD.state != "skipped",
    )
    if connection.execute(ahead.limit(1).with_for_update()).first() is None:
        raise CheckpointMoved(
            f"projection {key.projection!r}: {letter.category}/{letter.id} has no dead letters any more: another "
            "worker has settled them. Nothing was written here; the batch is planned anew."
        )


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
