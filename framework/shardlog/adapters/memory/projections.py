"""Projections in memory: the store's contract over dictionaries, for tests and simulations.

Rows hold the values as projections gave them. A batch is applied to a copy, which takes the place of what was there
where the whole batch fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from typing import TypeAlias, TypeGuard

import msgspec

from shardlog.errors import CheckpointMoved, Diverged, RowsRefused, TableMismatch
from shardlog.model.integers import why_beyond
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch, Columns, DeadLetter, LetterPlace, ProjectionStore, Stored, TableChanges
from shardlog.ports.rows import PYTHON_TYPES, Column, Number, TableShape, exact_sum, table_shape

Values: TypeAlias = tuple[object, ...]
Version: TypeAlias = tuple[str, int]


class _Table:
    """Rows by key, in the columns of a shape."""

    def __init__(self, name: str, shape: TableShape) -> None:
        self.name = name
        self.columns = {column.name: place for place, column in enumerate(shape.columns)}
        self.shape = shape
        self.rows: dict[Values, Values] = {}
        self._key = [place for place, column in enumerate(shape.columns) if column.is_key]

    def copied(self) -> _Table:
        """Another table with the same rows."""
        other = copy(self)
        other.rows = dict(self.rows)
        return other

    def write(self, changes: TableChanges) -> None:
        """Apply changes. Raises RowsRefused for a value that does not fit."""
        for row in changes.puts:
            self._set(row)
        for columns, rows in changes.increments.items():
            for values in rows:
                whole = values[: len(self.columns)]
                held = self.rows.get(self._key_of(whole))
                if held is None:
                    self._set(whole)
                else:
                    self._change(held, columns, values[len(self.columns) :])
        for columns, rows in changes.updates.items():
            for values in rows:
                width = len(columns.adds) + len(columns.sets)
                held = self.rows.get(values[width:])
                if held is not None:
                    self._change(held, columns, values[:width])
        for key in changes.removes:
            self.rows.pop(key, None)

    def _change(self, held: Values, columns: Columns, given: Values) -> None:
        row = list(held)
        for name, amount in zip(columns.adds, given, strict=False):
            place = self.columns[name]
            row[place] = self._sum(name, row[place], amount)
        for name, value in zip(columns.sets, given[len(columns.adds) :], strict=True):
            row[self.columns[name]] = value
        self._set(tuple(row))

    def _sum(self, name: str, held: object, amount: object) -> Number:
        if isinstance(held, int | Decimal) and isinstance(amount, int | Decimal):
            return exact_sum(held, amount)
        raise RowsRefused(f"table {self.name!r}, column {name!r}: {amount!r} cannot be added to {held!r}")

    def _set(self, row: Values) -> None:
        for column, value in zip(self.shape.columns, row, strict=True):
            if not _fits(column, value):
                raise RowsRefused(f"table {self.name!r}, column {column.name!r} takes no {value!r} ({column.kind})")
            beyond = why_beyond(self.name, column.name, value) if _is_integer(value, column) else None
            if beyond is not None:
                raise RowsRefused(beyond)
        self.rows[self._key_of(row)] = row

    def _key_of(self, row: Values) -> Values:
        return tuple(row[place] for place in self._key)


class _Contents:
    """All that is kept of one version of a projection."""

    def __init__(self) -> None:
        self.checkpoints: dict[tuple[str, int], Checkpoint] = {}
        self.letters: dict[Position, DeadLetter] = {}
        self.rebuild_to: dict[int, int] = {}


class MemoryDatabase:
    """What several stores may share: tables by name, and the rest by projection and version."""

    def __init__(self) -> None:
        self.tables: dict[str, _Table] = {}
        self.owners: dict[str, Version] = {}
        self.contents: dict[Version, _Contents] = {}

    def rows(self, table: str) -> list[Values]:
        """All rows of a table, in the order of its key; none of a table that is not there."""
        held = self.tables.get(table)
        return [] if held is None else [held.rows[key] for key in sorted(held.rows)]


class MemoryProjectionStore(ProjectionStore):
    """Projections in a MemoryDatabase."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def prepare(self, projection: Projection) -> None:
        self._own_tables(projection)
        for row in projection.rows:
            table = self._database.tables.setdefault(_name(projection, row), _table(projection, row))
            _check_shape(table, table_shape(row))

    def stored(self, projection: Projection) -> Stored:
        contents = self._contents(projection)
        checkpoints = {checkpoint.shard: checkpoint for checkpoint in contents.checkpoints.values()}
        journals = {checkpoint.journal for checkpoint in contents.checkpoints.values()}
        if len(journals) > 1:
            why = f"projection {projection.name!r} has checkpoints of {len(journals)} journals: rebuild it"
            first = next(iter(contents.checkpoints.values()))
            raise Diverged(first.shard, first.next, why)
        places = [LetterPlace(x.position, x.category, x.id, x.state) for x in self.dead_letters(projection)]
        return Stored(checkpoints, places, dict(contents.rebuild_to))

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        database, projection = self._database, batch.projection
        contents = copy(self._contents(projection))
        contents.checkpoints, contents.letters = dict(contents.checkpoints), dict(contents.letters)
        tables = {_name(projection, changes.row): changes for changes in batch.tables}
        written = {name: database.tables[name].copied() for name in tables}
        for move in batch.moves:
            _move(projection, contents, move)
        for name, changes in tables.items():
            written[name].write(changes)
        _settle_letters(contents, batch)
        if keep:
            database.contents[projection.name, projection.version] = contents
            database.tables |= written

    def dead_letters(self, projection: Projection) -> list[DeadLetter]:
        letters = self._contents(projection).letters.values()
        return sorted(letters, key=lambda x: (x.category, x.id, *_order(x.position)))

    def drop(self, projection: Projection, rebuild_to: Mapping[int, int]) -> None:
        self._own_tables(projection)
        contents = self._contents(projection)
        for row in projection.rows:
            self._database.tables[_name(projection, row)] = _table(projection, row)
        contents.checkpoints.clear()
        contents.rebuild_to = dict(rebuild_to)

    def close(self) -> None:
        """Nothing to free: what was written stays in the database."""

    def _own_tables(self, projection: Projection) -> None:
        """Raises TableMismatch for a table that is another projection's; then none is owned anew."""
        mine, owners = (projection.name, projection.version), self._database.owners
        names = [_name(projection, row) for row in projection.rows]
        for name in names:
            if owners.get(name, mine) != mine:
                other, version = owners[name]
                raise TableMismatch(
                    f"projection {projection.name!r} keeps table {name!r}, and projection {other!r} version {version} "
                    "has filled it: give the row another name="
                )
        owners.update(dict.fromkeys(names, mine))

    def _contents(self, projection: Projection) -> _Contents:
        return self._database.contents.setdefault((projection.name, projection.version), _Contents())


def _name(projection: Projection, row: type[Row]) -> str:
    name = table_shape(row).name
    return name if projection.version == 1 else f"{name}_v{projection.version}"


def _table(projection: Projection, row: type[Row]) -> _Table:
    return _Table(_name(projection, row), table_shape(row))


def _check_shape(table: _Table, shape: TableShape) -> None:
    wanted = {column.name for column in shape.columns}
    problems = [f"column {name!r} is missing" for name in sorted(wanted - table.columns.keys())]
    problems += [f"column {name!r} is not in the row class" for name in table.columns if name not in wanted]
    if problems:
        raise TableMismatch(f"table {table.name!r} is not as its row class says: {'; '.join(problems)}")


def _fits(column: Column, value: object) -> bool:
    if value is None:
        return column.nullable
    if column.kind == "json":
        return _is_json(value)
    return isinstance(value, PYTHON_TYPES[column.kind])


def _is_integer(value: object, column: Column) -> TypeGuard[int]:
    return column.kind == "integer" and isinstance(value, int)


def _is_json(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _move(projection: Projection, contents: _Contents, move: Move) -> None:
    """PROTOCOL C1: from exactly the old checkpoint to the new one, or CheckpointMoved."""
    held = contents.checkpoints.get((move.new.journal, move.new.shard))
    if _where(held) != _where(move.old):
        raise CheckpointMoved(
            f"projection {projection.name!r}, shard {move.new.shard}: the checkpoint is no longer {_where(move.old)} "
            f"but {_where(held)}: another worker has moved it. Nothing was written here."
        )
    contents.checkpoints[move.new.journal, move.new.shard] = move.new


def _where(checkpoint: Checkpoint | None) -> tuple[int, str] | None:
    """What C1 compares."""
    return None if checkpoint is None else (checkpoint.next, checkpoint.head)


def _settle_letters(contents: _Contents, batch: Batch) -> None:
    letters = contents.letters
    for position in (*batch.handled, *batch.skipped):
        held = letters.get(position)
        if held is None or held.state == "skipped":
            raise CheckpointMoved(
                f"there is no dead letter at {position.token} any more: another worker has settled it"
            )
        if position in batch.handled:
            del letters[position]
        else:
            letters[position] = msgspec.structs.replace(held, state="skipped")
    for letter in batch.letters:
        ahead = (x for x in letters.values() if (x.category, x.id) == (letter.category, letter.id))
        if letter.state == "parked" and not any(x.state != "skipped" for x in ahead):
            raise CheckpointMoved(f"{letter.category}/{letter.id} has no dead letters any more: plan the batch anew")
        letters[letter.position] = letter


def _order(position: Position) -> tuple[str, int, int, int]:
    return position.journal, position.shard, position.offset, position.index
