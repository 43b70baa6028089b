"""Projections in memory: the store's contract over dictionaries, for tests and simulations.

Rows hold the values as projections gave them. A batch is applied to a copy, which takes the place of what was there
where the whole batch fits.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy

import msgspec

from shardlog.adapters.memory.builds import BuildContents, MemoryBuilds, MemoryDatabase, build_table
from shardlog.adapters.memory.tables import check_shape
from shardlog.errors import CheckpointMoved, Diverged, TableMismatch
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildKey, Builds
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch, DeadLetter, LetterPlace, ProjectionStore, Stored, Stream
from shardlog.ports.rows import table_shape

__all__ = ["MemoryDatabase", "MemoryProjectionStore"]


class MemoryProjectionStore(ProjectionStore):
    """Projections in a MemoryDatabase."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @property
    def builds(self) -> Builds:
        return MemoryBuilds(self._database)

    def prepare(self, build: Build) -> None:
        for row in build.projection.rows:
            name = build_table(build, row)
            if name not in self._database.tables:
                raise TableMismatch(f"table {name!r} is missing")
            check_shape(self._database.tables[name], table_shape(row))

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
        tables = {build_table(build, changes.row): changes for changes in batch.tables}
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

    def dead_letters(self, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
        contents = self._database.contents.get(key)
        letters: Collection[DeadLetter] = () if contents is None else contents.letters.values()
        wanted = letters if stream is None else [x for x in letters if (x.category, x.id) == stream]
        return sorted(wanted, key=lambda x: (x.category, x.id, *_order(x.position)))

    def close(self) -> None:
        """Nothing to free: what was written stays in the database."""


def _move(build: Build, contents: BuildContents, move: Move) -> None:
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


def _settle_letters(contents: BuildContents, batch: Batch) -> None:
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
