"""Which tables of a projection are served, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, select

from shardlog.adapters.sql.tables import CHECKPOINTS, OWNERS, row_table
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.ports.reading import ReadTo, Standing


def standings(connection: Connection, projections: Sequence[Projection]) -> Mapping[str, Standing]:
    """By name; one whose tables are not made yet is missing."""
    made = {tuple(row) for row in connection.execute(select(OWNERS.c.projection, OWNERS.c.version))}
    held = CHECKPOINTS.c
    found = connection.execute(
        select(held.projection, held.version, held.journal, held.shard, held.shards, held.next)
        .where(held.projection.in_([projection.name for projection in projections]))
        .order_by(held.shard)
    ).all()
    return {
        projection.name: Standing(
            version=projection.version,
            build=1,
            positions=tuple(ReadTo(*row[2:]) for row in found if row[:2] == (projection.name, projection.version)),
        )
        for projection in projections
        if (projection.name, projection.version) in made
    }


def served_table(projection: Projection, row: type[Row]) -> Table:
    """The row class as the table, or the view, that is to be read."""
    return row_table(projection, row)
