"""Builds in memory, and the database that they and their rows stand in, for tests and simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from shardlog.adapters.memory.tables import MemoryTable, Values
from shardlog.errors import BuildBehind, BuildRefused, ConfigurationError, TableMismatch
from shardlog.model.handler_code import handlers_digest
from shardlog.model.messages import Row
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildKey, BuildRecord, Builds, BuildState
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.projections import DeadLetter, takes_over
from shardlog.ports.rows import table_shape


class BuildContents:
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
        self.tables: dict[str, MemoryTable] = {}
        self.views: dict[str, str] = {}
        self.owners: dict[str, BuildKey] = {}
        self.contents: dict[BuildKey, BuildContents] = {}

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
        if build.projection.batch_handlers:
            raise ConfigurationError(
                f"projection {build.name!r} has handlers of batches, which write with SQL, and this store keeps rows "
                "in memory: use SQLite or PostgreSQL"
            )
        self._own(build)
        serving = self._serving(key.projection)
        state: BuildState = "serving" if serving is None else "building"
        record = BuildRecord(key=key, state=state, handlers=handlers_digest(build.projection))
        contents = database.contents[key] = BuildContents(record, rebuild_to)
        for row in build.projection.rows:
            name = contents.tables[table_shape(row).name] = build_table(build, row)
            database.tables[name] = MemoryTable(name, table_shape(row))
        if serving is None:
            self._show(contents)
        else:
            contents.letters = {
                position: letter for position, letter in serving.letters.items() if takes_over(build, letter.state)
            }
        return record

    def switch(self, key: BuildKey, ends: Mapping[int, int], *, behind_max: int | None = 0) -> None:
        contents = self._found(key)
        serving = self._serving(key.projection)
        if serving is contents:
            return
        read = {checkpoint.shard: checkpoint.next for checkpoint in contents.checkpoints.values()}
        lacking = sum(max(0, end - read.get(shard, 0)) for shard, end in ends.items())
        if behind_max is not None and lacking > behind_max:
            raise BuildBehind(
                f"build {key.label} lacks {lacking} records, and {behind_max} is the most: let it catch up"
            )
        is_paused = contents.record.is_paused
        if serving is not None:
            is_paused = is_paused or serving.record.is_paused
            self._change(serving.record.key, state="retired", is_paused=False)
        self._change(key, state="serving", stopped="", is_paused=is_paused)
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

    def _found(self, key: BuildKey) -> BuildContents:
        if key not in self._database.contents:
            raise BuildRefused(f"there is no build {key.label}")
        return self._database.contents[key]

    def _change(self, key: BuildKey, **values: object) -> None:
        contents = self._found(key)
        contents.record = msgspec.structs.replace(contents.record, **values)

    def _serving(self, projection: str) -> BuildContents | None:
        held = (x for x in self._database.contents.values() if x.record.key.projection == projection)
        return next((contents for contents in held if contents.record.state == "serving"), None)

    def _show(self, contents: BuildContents) -> None:
        views, owners, projection = self._database.views, self._database.owners, contents.record.key.projection
        for name in [name for name in views if owners[name].projection == projection]:
            del views[name]
        views.update(contents.tables)

    def _own(self, build: Build) -> None:
        """Raises TableMismatch for a table that is another's; then none is owned anew."""
        owners = self._database.owners
        wanted = {build_table(build, row): build.key for row in build.projection.rows}
        wanted |= {table_shape(row).name: BuildKey(build.name, 0, 0) for row in build.projection.rows}
        for name, mine in wanted.items():
            owner = owners.get(name, mine)
            if owner != mine:
                raise TableMismatch(
                    f"projection {build.name!r} keeps table {name!r}, which projection {owner.projection!r} keeps "
                    "already: give the row another name="
                )
        owners.update(wanted)


def build_table(build: Build, row: type[Row]) -> str:
    """The name of a row's table, as in SQL."""
    name = f"{table_shape(row).name}_v{build.projection.version}"
    return name if build.number == 1 else f"{name}_b{build.number}"
