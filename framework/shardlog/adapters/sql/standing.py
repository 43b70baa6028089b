"""Which tables of a projection are served, how far they are, and the view that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import Column, Connection, MetaData, Table, and_, select, table, text

from shardlog.adapters.sql.tables import BUILDS, CHECKPOINTS, SQL_TYPES
from shardlog.model.projection import Projection
from shardlog.ports.reading import ReadTo, Standing
from shardlog.ports.rows import TableShape


def standings(connection: Connection, projections: Sequence[Projection]) -> Mapping[str, Standing]:
    """By name; one of which no build serves is missing."""
    build, held = BUILDS.c, CHECKPOINTS.c
    is_its = and_(held.projection == build.projection, held.version == build.version, held.build == build.build)
    columns = (build.projection, build.version, build.build, build.stopped, build.paused)
    found = connection.execute(
        select(*columns, held.journal, held.shard, held.shards, held.next)
        .select_from(BUILDS.outerjoin(CHECKPOINTS, is_its))
        .where(build.state == "serving", build.projection.in_([projection.name for projection in projections]))
        .order_by(held.shard)
    ).all()
    positions: dict[str, list[ReadTo]] = {}
    builds: dict[str, Standing] = {}
    for name, version, number, stopped, paused, *place in found:
        builds[name] = Standing(version=version, build=number, positions=(), stopped=stopped, is_paused=bool(paused))
        positions.setdefault(name, [])
        if place[0] is not None:
            positions[name].append(ReadTo(*place))
    return {name: replace(standing, positions=tuple(positions[name])) for name, standing in builds.items()}


def view_of(shape: TableShape) -> Table:
    """The view that analysts use, with the columns of the row class."""
    columns = [Column(column.name, SQL_TYPES[column.kind], nullable=column.nullable) for column in shape.columns]
    return Table(shape.name, MetaData(), *columns)


def lacking(connection: Connection, view: Table) -> list[str]:
    """Columns of the row class that the view does not have, as it shows tables of another version."""
    there = set(connection.execute(select(text("*")).select_from(table(view.name)).limit(0)).keys())
    return [column.name for column in view.c if column.name not in there]
