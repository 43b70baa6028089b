"""The relay store on a SQL database: its checkpoints, and the dead letters of commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    RowMapping,
    Table,
    and_,
    event,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from shardlog.adapters.sql.engine import WRITES, open_engine
from shardlog.adapters.sql.faults import mapped
from shardlog.adapters.sql.tables import INTERNAL_PREFIX, SQL_TYPES
from shardlog.errors import CheckpointMoved
from shardlog.model.recorded import Position
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.relay import CommandDeadLetter, RelayStore

_tables = MetaData()


def _column(name: str, kind: Literal["text", "integer", "bytes"], **more: Any) -> Column[Any]:
    return Column(name, SQL_TYPES[kind], nullable=more.pop("nullable", False), **more)


def _key(name: str, kind: Literal["text", "integer"]) -> Column[Any]:
    return _column(name, kind, primary_key=True, autoincrement=False)


CHECKPOINTS = Table(
    INTERNAL_PREFIX + "relay_checkpoints",
    _tables,
    _key("journal", "text"),
    _key("shard", "integer"),
    *(_column(name, "integer") for name in ("shards", "next", "epoch", "seq")),
    *(_column(name, "text") for name in ("nonce", "head")),
    comment="How far the sends of each shard were received by their targets.",
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
_TEXTS = (
    *("state", "code", "message", "category", "id", "command", "command_id", "manager", "tenant", "actor"),
    *("correlation", "causation", "payload", "input"),
)
LETTERS = Table(
    INTERNAL_PREFIX + "command_dead_letters",
    _tables,
    _key("journal", "text"),
    _key("shard", "integer"),
    _key("log_offset", "integer"),
    _key("log_index", "integer"),
    _column("time", "integer"),
    *(_column(name, "text") for name in _TEXTS),
    _column("input_offset", "integer"),
    _column("original", "bytes", nullable=True),
    comment="Commands that were refused with nobody to hear of it.",
    sqlite_strict=True,
)
_PLACE = (LETTERS.c.journal, LETTERS.c.shard, LETTERS.c.log_offset, LETTERS.c.log_index)


class SqlRelayStore(RelayStore):
    """A relay's checkpoints and dead letters in one database.

    database: a sqlite:// URL, or the path of a SQLite file, which is made where it is missing.
    lock_wait_ms: how long SQLite waits for another process's lock before the store is unavailable.
    Raises ConfigurationError for another database, StoreUnavailable and StoreFailed where it cannot be opened.
    """

    def __init__(self, database: str | Path | URL, *, lock_wait_ms: int = 5_000) -> None:
        self._engine = open_engine(database, lock_wait_ms)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        with mapped(f"opening {self._engine.url.render_as_string()}"), self._transaction() as connection:
            _tables.create_all(connection)

    def checkpoints(self, journal: str) -> Mapping[int, Checkpoint]:
        with mapped("reading the relay's checkpoints"), self._engine.begin() as connection:
            rows = connection.execute(select(CHECKPOINTS).where(CHECKPOINTS.c.journal == journal)).mappings().all()
        return {row["shard"]: Checkpoint(**{field: row[field] for field in Checkpoint._fields}) for row in rows}

    def write(self, moves: Sequence[Move], letters: Sequence[CommandDeadLetter]) -> None:
        with mapped("writing the relay's checkpoints and dead letters"), self._transaction() as connection:
            for move in moves:
                _move(connection, move)
            for letter in letters:
                known = select(LETTERS.c.state).where(_at(letter.position))
                if connection.execute(known).first() is None:
                    connection.execute(insert(LETTERS), _values(letter))

    def dead_letters(self, journal: str, limit: int, after: Position | None = None) -> list[CommandDeadLetter]:
        wanted = select(LETTERS).where(LETTERS.c.journal == journal).order_by(*_PLACE).limit(limit)
        if after is not None:
            wanted = wanted.where(tuple_(*_PLACE[1:]) > (after.shard, after.offset, after.index))
        with mapped("reading the dead letters of commands"), self._engine.begin() as connection:
            return [_letter(row) for row in connection.execute(wanted).mappings()]

    def resolve(self, position: Position, state: Literal["retried", "rejected"]) -> None:
        open_one = update(LETTERS).where(_at(position), LETTERS.c.state == "open").values(state=state)
        with mapped("resolving a dead letter"), self._transaction() as connection:
            if connection.execute(open_one).rowcount != 1:
                raise CheckpointMoved(
                    f"there is no open dead letter at {position.token}: somebody has resolved it. List them again"
                )

    def close(self) -> None:
        """Free connections. Idempotent."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection


def _durable(connection: sqlite3.Connection, _record: object) -> None:
    """How an operator resolved a letter stands nowhere else, so a commit is on the disk before it is believed."""
    connection.execute("PRAGMA synchronous=FULL")


def _move(connection: Connection, move: Move) -> None:
    """PROTOCOL C1: from exactly the old checkpoint to the new one, or CheckpointMoved."""
    values = move.new._asdict()
    if move.old is None:
        try:
            connection.execute(insert(CHECKPOINTS), values)
        except IntegrityError as error:
            raise _moved(move) from error
        return
    held, old = CHECKPOINTS.c, move.old
    where = (held.journal == old.journal, held.shard == old.shard, held.next == old.next, held.head == old.head)
    if connection.execute(update(CHECKPOINTS).where(*where).values(values)).rowcount != 1:
        raise _moved(move)


def _moved(move: Move) -> CheckpointMoved:
    expected = f"at offset {move.old.next}" if move.old else "not begun"
    return CheckpointMoved(
        f"relay, shard {move.new.shard}: the checkpoint is no longer {expected}: another relay has moved it. Nothing "
        "was written here"
    )


def _at(position: Position) -> ColumnElement[bool]:
    place = (position.journal, position.shard, position.offset, position.index)
    return and_(*(column == value for column, value in zip(_PLACE, place, strict=True)))


def _values(letter: CommandDeadLetter) -> dict[str, object]:
    """The row of a letter. A NUL, which not every database keeps, stands as the six characters \\u0000, as in JSON.

    That is not undone in reading, since the same six may stand there by themselves; the journal keeps what it was.
    """
    position = letter.position
    return {
        "journal": position.journal,
        "shard": position.shard,
        "log_offset": position.offset,
        "log_index": position.index,
        "time": letter.time,
        **{name: getattr(letter, name).replace("\0", "\\u0000") for name in _TEXTS},
        "input_offset": letter.input_offset,
        "original": letter.original,
    }


def _letter(row: RowMapping) -> CommandDeadLetter:
    return CommandDeadLetter(
        position=Position(row["journal"], row["shard"], row["log_offset"], row["log_index"]),
        time=row["time"],
        input_offset=row["input_offset"],
        original=None if row["original"] is None else bytes(row["original"]),
        **{name: row[name] for name in _TEXTS},
    )
