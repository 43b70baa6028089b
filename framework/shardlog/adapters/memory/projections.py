"""Projections in memory: the store's contract over dictionaries, for tests and simulations.

Rows hold the values as projections gave them. A batch is applied to a copy, which takes the place of what was there
where the whole batch fits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from decimal import Decimal
from typing import TypeAlias, TypeGuard

import msgspec

from shardlog.errors import BuildBehind, BuildRefused, CheckpointMoved, Diverged, RowsRefused, TableMismatch
from shardlog.model.integers import why_beyond
from shardlog.model.messages import Row
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildKey, BuildRecord, Builds
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch, Columns, DeadLetter, LetterPlace, ProjectionStore, Stored, TableChanges
from shardlog.ports.rows import PYTHON_TYPES, Column, Number, TableShape, exact_sum, table_shape

Values: TypeAlias = tuple[object, ...]


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
    """All that is kept of one build. tables: by the names of its views, the names of its tables."""

    def __init__(self, record: BuildRecord, rebuild_to: Mapping[int, int]) -> None:
        self.record = record
        self.rebuild_to = dict(rebuild_to)
        self.tables: dict[str, str] = {}
        self.checkpoints: dict[tuple[str, int], Checkpoint] = {}
        self.letters: dict[Position, DeadLetter] = {}


class MemoryDatabase:
    """What several stores may share: tables by name, what each view shows, and the rest by build."""

    def __init__(self) -> None:
        self.tables: dict[str, _Table] = {}
        self.views: dict[str, str] = {}
        self.owners: dict[str, BuildKey] = {}
        self.contents: dict[BuildKey, _Contents] = {}

    def rows(self, table: str) -> list[Values]:
        """All rows of a table or view, in the order of its key; none of one that is not there."""
        held = self.tables.get(self.views.get(table, table))
        return [] if held is None else [held.rows[key] for key in sorted(held.rows)]


class MemoryBuilds(Builds):
    """The builds of a MemoryDatabase. Times are not kept."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def records(self, projection: str | None = None) -> Sequence[BuildRecord]:
        held = (contents.record for contents in self._database.contents.values())
        return sorted((x for x in held if projection in (None, x.key.projection)), key=lambda x: x.key)

    def begin(self, build: Build, rebuild_to: Mapping[int, int]) -> BuildRecord:
        database, key = self._database, build.key
        if key in database.contents:
            return database.contents[key].record
        self._own(build)
        serving = self._serving(key.projection)
        record = BuildRecord(key=key, state="serving" if serving is None else "building")
        contents = database.contents[key] = _Contents(record, rebuild_to)
        for row in build.projection.rows:
            name = contents.tables[table_shape(row).name] = _name(build, row)
            database.tables[name] = _Table(name, table_shape(row))
        if serving is None:
            self._show(contents)
        else:
            contents.letters = dict(serving.letters)
        return record

    def switch(self, key: BuildKey, ends: Mapping[int, int], *, behind_max: int | None = 0) -> None:
        contents = self._found(key)
        serving = self._serving(key.projection)
        if serving is contents:
            return
        read = {checkpoint.shard: checkpoint.next for checkpoint in contents.checkpoints.values()}
        lacking = sum(max(0, end - read.get(shard, 0)) for shard, end in ends.items())
        if behind_max is not None and lacking > behind_max:
            raise BuildBehind(f"build {key.label} lacks {lacking} records, and {behind_max} is the most: let it catch up")
        if serving is not None:
            self._change(serving.record.key, state="retired")
        self._change(key, state="serving", stopped="")
        self._show(contents)

    def drop(self, key: BuildKey) -> None:
        contents = self._found(key)
        if contents.record.state == "serving":
            raise BuildRefused(f"build {key.label} serves, and is not dropped: switch to another one first")
        for name in contents.tables.values():
            del self._database.tables[name], self._database.owners[name]
        del self._database.contents[key]

    def pause(self, key: BuildKey, *, is_paused: bool) -> None:
        self._change(key, is_paused=is_paused)

    def resume(self, key: BuildKey) -> None:
        self._change(key, attempt=self._found(key).record.attempt + 1, stopped="")

    def note_stopped(self, key: BuildKey, why: str) -> None:
        self._change(key, stopped=why)

    def _found(self, key: BuildKey) -> _Contents:
        if key not in self._database.contents:
            raise BuildRefused(f"there is no build {key.label}")
        return self._database.contents[key]

    def _change(self, key: BuildKey, **values: object) -> None:
        contents = self._found(key)
        contents.record = msgspec.structs.replace(contents.record, **values)

    def _serving(self, projection: str) -> _Contents | None:
        held = (x for x in self._database.contents.values() if x.record.key.projection == projection)
        return next((contents for contents in held if contents.record.state == "serving"), None)

    def _show(self, contents: _Contents) -> None:
        views, owners, projection = self._database.views, self._database.owners, contents.record.key.projection
        for name in [name for name in views if owners[name].projection == projection]:
            del views[name]
        views.update(contents.tables)

    def _own(self, build: Build) -> None:
        """Raises TableMismatch for a table that is another's; then none is owned anew."""
        owners = self._database.owners
        wanted = {_name(build, row): build.key for row in build.projection.rows}
        wanted |= {table_shape(row).name: BuildKey(build.name, 0, 0) for row in build.projection.rows}
        for name, mine in wanted.items():
            owner = owners.get(name, mine)
            if owner != mine:
                raise TableMismatch(
                    f"projection {build.name!r} keeps table {name!r}, which projection {owner.projection!r} keeps "
                    "already: give the row another name="
                )
        owners.update(wanted)


class MemoryProjectionStore(ProjectionStore):
    """Projections in a MemoryDatabase."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @property
    def builds(self) -> Builds:
        return MemoryBuilds(self._database)

    def prepare(self, build: Build) -> None:
        for row in build.projection.rows:
            name = _name(build, row)
            if name not in self._database.tables:
                raise TableMismatch(f"table {name!r} is missing")
            _check_shape(self._database.tables[name], table_shape(row))

    def stored(self, key: BuildKey) -> Stored:
        contents = self._database.contents.get(key)
        if contents is None:
            return Stored({}, [], {})
        checkpoints = {checkpoint.shard: checkpoint for checkpoint in contents.checkpoints.values()}
        journals = {checkpoint.journal for checkpoint in contents.checkpoints.values()}
        if len(journals) > 1:
            why = f"projection {key.projection!r} has checkpoints of {len(journals)} journals: rebuild it"
            first = next(iter(contents.checkpoints.values()))
            raise Diverged(first.shard, first.next, why)
        places = [LetterPlace(x.position, x.category, x.id, x.state) for x in self.dead_letters(key)]
        return Stored(checkpoints, places, dict(contents.rebuild_to))

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        database, build = self._database, batch.build
        if build.key not in database.contents:
            raise CheckpointMoved(f"build {build.key.label} is dropped. Nothing was written here.")
        contents = copy(database.contents[build.key])
        contents.checkpoints, contents.letters = dict(contents.checkpoints), dict(contents.letters)
        tables = {_name(build, changes.row): changes for changes in batch.tables}
        written = {name: database.tables[name].copied() for name in tables}
        for move in batch.moves:
            _move(build, contents, move)
        for name, changes in tables.items():
            written[name].write(changes)
        _settle_letters(contents, batch)
        if batch.passed_over:
            told = contents.record.passed_over + batch.passed_over
            contents.record = msgspec.structs.replace(contents.record, passed_over=told)
        if keep:
            database.contents[build.key] = contents
            database.tables |= written

    def dead_letters(self, key: BuildKey) -> list[DeadLetter]:
        contents = self._database.contents.get(key)
        letters: Collection[DeadLetter] = () if contents is None else contents.letters.values()
        return sorted(letters, key=lambda x: (x.category, x.id, *_order(x.position)))

    def close(self) -> None:
        """Nothing to free: what was written stays in the database."""


def _name(build: Build, row: type[Row]) -> str:
    name = f"{table_shape(row).name}_v{build.projection.version}"
    return name if build.number == 1 else f"{name}_b{build.number}"


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


def _move(build: Build, contents: _Contents, move: Move) -> None:
    """PROTOCOL C1: from exactly the old checkpoint to the new one, or CheckpointMoved."""
    held = contents.checkpoints.get((move.new.journal, move.new.shard))
    if _where(held) != _where(move.old):
        raise CheckpointMoved(
            f"projection {build.name!r}, shard {move.new.shard}: the checkpoint is no longer {_where(move.old)} "
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
