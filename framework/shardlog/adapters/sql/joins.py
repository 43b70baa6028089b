"""Joins as SQL views over the tables of one build: made with them, and dropped before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Select, Table, and_, inspect, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from shardlog.adapters.sql.shape_check import NEXT
from shardlog.adapters.sql.tables import SQL_TYPES, free_name, numbered_name, row_table
from shardlog.adapters.sql.views import DropView
from shardlog.errors import TableMismatch
from shardlog.model.joins import Join
from shardlog.ports.builds import Build
from shardlog.ports.rows import table_shape


class _Create(ExecutableDDLElement):
    inherit_cache = False

    def __init__(self, name: str, shown: Select[Any]) -> None:
        self.name = name
        self.shown = shown


def create_join(connection: Connection, build: Build, join: Join) -> None:
    """Make the view, over the build's own tables."""
    tables = row_table(build, join.left), row_table(build, join.right)
    connection.execute(_Create(join_view(build, join).name, _shown(join, *tables)))


def check_joins(connection: Connection, build: Build) -> None:
    """Raises TableMismatch where a view is missing, or has other columns than its join."""
    inspector = inspect(connection)
    there = set(inspector.get_view_names()) if build.projection.views else set[str]()
    for join in build.projection.views:
        view = join_view(build, join)
        found = [column["name"] for column in inspector.get_columns(view.name)] if view.name in there else None
        wanted = [column.name for column in view.c]
        if found != wanted:
            has = "is missing" if found is None else f"has the columns {', '.join(found)}, and not {', '.join(wanted)}"
            raise TableMismatch(f"view {view.name!r} of join {join.name!r} {has}. {NEXT}")


def drop_joins(connection: Connection, tables: Sequence[Table]) -> list[Table]:
    """Drop what is a view among these, and give the others."""
    views = set(inspect(connection).get_view_names()) if tables else set[str]()
    for table in tables:
        if table.name in views:
            connection.execute(DropView(table.name))
    return [table for table in tables if table.name not in views]


def join_view(build: Build, join: Join) -> Table:
    """A build's view as if it were a table, with what is said of it. Raises ConfigurationError for its name."""
    columns: list[Column[Any]] = []
    for pick in join.picks:
        column = next(column for column in table_shape(pick.row).columns if column.name == pick.column.name)
        columns.append(Column(pick.name, SQL_TYPES[column.kind], comment=column.comment))
    return Table(numbered_name(build, _owner(join), join.name), MetaData(), *columns, comment=join.comment or None)


def join_name(build: Build, join: Join) -> str:
    """The name that analysts use. Raises ConfigurationError for one that shardlog keeps for itself."""
    return free_name(build, _owner(join), join.name)


def _owner(join: Join) -> str:
    return f"join {join.name!r}"


def _shown(join: Join, left: Table, right: Table) -> Select[Any]:
    tables = {join.left: left, join.right: right}
    columns = [tables[pick.row].c[pick.column.name].label(pick.name) for pick in join.picks]
    matches = and_(*(left.c[ours] == right.c[theirs] for ours, theirs in join.on.items()))
    return select(*columns).select_from(left.join(right, matches, isouter=join.keeps == "left"))


@compiles(_Create)
def _create(element: _Create, compiler: DDLCompiler, **_: Any) -> str:
    shown = compiler.sql_compiler.process(element.shown, literal_binds=True)
    return f"CREATE VIEW {compiler.preparer.quote(element.name)} AS {shown}"
