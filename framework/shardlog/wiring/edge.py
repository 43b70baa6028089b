"""An embedded engine as the gateway sees it: shards that take commands, tables that can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shardlog.executor.requests import Request, Waiting
from shardlog.gateway.engine import Engine, ProjectionStatus, Tables
from shardlog.model.projection import Projection
from shardlog.model.rows import table_name
from shardlog.projector.choosing import kept_stored, served_stored, serving
from shardlog.sharding import routing_key, shard_of
from shardlog.wiring.embedded import Embedded


class EmbeddedShards(Engine):
    """The shards of this process."""

    def __init__(self, engine: Embedded) -> None:
        self._executor = engine.executor
        self._shards = engine.shards
        self._parts = {a.category: a.routing_parts for a in engine.application.aggregates.values()}

    def submit(self, waiting: Waiting, /) -> None:
        """Hand it to its shard; the first shard answers for categories and ids that are none."""
        category, id = _address(waiting)
        is_known = category in self._parts
        shard = shard_of(routing_key(id, self._parts[category]), self._shards) if is_known else 0
        self._executor.submit(shard, waiting)

    def modes(self) -> Mapping[int, str]:
        """By shard, where it is on its way."""
        return self._executor.modes


class EmbeddedTables(Tables):
    """The tables beside the journal, by connections of their own."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self._projections = engine.application.projections
        self._store = engine.database.open_store()
        self._rows = engine.database.open_rows()

    @property
    def journal(self) -> str:
        """The id of the journal."""
        return self._engine.meta.journal

    def status(self) -> Sequence[ProjectionStatus]:
        """All projections, by name."""
        ends = {shard: self._engine.journal.offsets(shard)[1] for shard in range(self._engine.shards)}
        stopped = self._engine.projections.stopped
        return [self._status(self._projections[name], ends, stopped.get(name)) for name in sorted(self._projections)]

    def _status(self, projection: Projection, ends: Mapping[int, int], stopped: Exception | None) -> ProjectionStatus:
        stored = kept_stored(self._store, projection)
        read = {shard: checkpoint.next for shard, checkpoint in stored.checkpoints.items()}
        return ProjectionStatus(
            name=projection.name,
            version=projection.version,
            tables=tuple(table_name(row) for row in projection.rows),
            lag={str(shard): max(0, end - read.get(shard, 0)) for shard, end in ends.items()},
            stopped=None if stopped is None else str(stopped),
            dead_letters=sum(letter.state != "skipped" for letter in stored.letters),
        )

    def positions(self, name: str) -> Mapping[int, int]:
        """By shard, the first offset that the projection has not read. Raises KeyError for an unknown name."""
        checkpoints = served_stored(self._store, self._projections[name]).checkpoints
        return {shard: checkpoint.next for shard, checkpoint in checkpoints.items()}

    def is_paused(self, name: str) -> bool:
        """Whether the build that serves is. Raises KeyError for an unknown name."""
        record = serving(self._store.builds.records(self._projections[name].name), name)
        return record is not None and record.is_paused

    def rows(self, name: str, table: str, limit: int) -> Sequence[Mapping[str, object]]:
        """The first rows of one of its tables. Raises KeyError for an unknown table."""
        projection = self._projections[name]
        rows = {table_name(row): row for row in projection.rows}
        return self._rows.first(rows[table], limit)

    def close(self) -> None:
        """Free connections."""
        self._rows.close()
        self._store.close()


def _address(waiting: Waiting) -> tuple[str, str]:
    if isinstance(waiting, Request):
        return waiting.record.category, waiting.record.id
    return waiting.category, waiting.id
