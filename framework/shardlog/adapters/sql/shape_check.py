"""Whether a table is what its row class says, and if not, where."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table, inspect, select
from sqlalchemy import column as named
from sqlalchemy import table as known
from sqlalchemy.types import TypeEngine

from shardlog.adapters.sql.decimals import DECIMAL_COLLATION
from shardlog.errors import TableMismatch

log = logging.getLogger("shardlog.projector")
_COLLATED = f" COLLATE {DECIMAL_COLLATION}"
_MASTER = known("sqlite_master", named("name"), named("sql"))


def check_table(connection: Connection, table: Table) -> None:
    """Compare columns, types, null-ability and key. Raises TableMismatch, naming table and columns."""
    inspector = inspect(connection)
    if not inspector.has_table(table.name):
        raise TableMismatch(f"table {table.name!r} is missing. {NEXT}")
    dialect = connection.dialect
    there = {column["name"]: column for column in inspector.get_columns(table.name)}
    problems = [f"column {name!r} is missing" for name in table.c.keys() if name not in there]  # noqa: SIM118
    problems += [f"column {name!r} is not in the row class" for name in there if name not in table.c]
    for column in table.c:
        found = there.get(column.name)
        if found is None:
            continue
        type_there, type_wanted = _said(found["type"], dialect), _said(column.type, dialect, column)
        if type_there != type_wanted:
            problems.append(f"column {column.name!r} is {type_there}, and the row class makes it {type_wanted}")
        elif found["nullable"] and not column.nullable:
            problems.append(f"column {column.name!r} may be null, and the row class says that it may not")
        elif column.nullable and not found["nullable"]:
            problems.append(f"column {column.name!r} may not be null, and the row class says that it may")
    key = inspector.get_pk_constraint(table.name)["constrained_columns"]
    wanted = [column.name for column in table.primary_key.columns]
    if key != wanted:
        problems.append(f"its key is ({', '.join(key)}), and the row class makes it ({', '.join(wanted)})")
    if problems:
        raise TableMismatch(f"table {table.name!r} is not as its row class says: {'; '.join(problems)}. {NEXT}")
    if dialect.name == "sqlite":
        _warn_of_texts(connection, table)


def _said(type_: TypeEngine[Any], dialect: Dialect, column: Column[Any] | None = None) -> str:
    """As in CREATE TABLE; a key may have another type there than other columns."""
    said = dialect.type_compiler_instance.process(type_, type_expression=column)
    return said.removesuffix(_COLLATED)  # SQLite does not tell it of a table that is there


def _warn_of_texts(connection: Connection, table: Table) -> None:
    """SQLite's tables of an earlier release, whose decimals compare as texts, are served as they were."""
    decimals = [column.name for column in table.c if _is_collated(column, connection.dialect)]
    if not decimals:
        return
    made = connection.execute(select(_MASTER.c.sql).where(_MASTER.c.name == table.name)).scalar_one()
    if DECIMAL_COLLATION not in made:
        log.warning(
            "table %r was made by an earlier shardlog: SQL sorts and compares its decimals (%s) as texts, 9 behind 10. "
            "Rebuild the projection, by `shardlog rebuild`, and they are numbers",
            table.name,
            ", ".join(decimals),
        )


def _is_collated(column: Column[Any], dialect: Dialect) -> bool:
    return dialect.type_compiler_instance.process(column.type).endswith(_COLLATED)


NEXT = "Rebuild the projection, or give it the next version= so that new tables are made beside these."
