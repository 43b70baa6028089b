"""SQL Server and Azure SQL: statements that compile, by MERGE. No server has run them, so no URL opens one.

Whoever wants to try gives `SqlProjectionStore` an engine of their own, whose dialect was given to `speak_mssql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Engine
from sqlalchemy.engine import URL

from shardlog.adapters.sql.dialects.dialect import Compiled, SqlDialect, Upsert
from shardlog.adapters.sql.dialects.fitting import strict
from shardlog.adapters.sql.dialects.mssql_types import LIMITS
from shardlog.adapters.sql.values import Convert, time_text
from shardlog.errors import ConfigurationError, ProjectionError, RowsRefused, StoreFailed, StoreUnavailable
from shardlog.ports.rows import Column, TableShape

_LATER = ("08", "40", "HYT")
"""SQLSTATE classes: connections, deadlocks, time-outs."""
_ROWS = ("21", "22", "23", "42S")


class MssqlDialect(SqlDialect):
    """SQL Server."""

    name = "mssql"

    def open(self, url: URL, lock_wait_ms: int) -> Engine:
        raise ConfigurationError(
            f"{url.render_as_string()!r} is a SQL Server, and none has run what is made here: its statements compile, "
            "and no more is known. Keep projections in SQLite, PostgreSQL or MariaDB"
        )

    def converter(self, column: Column, shape: TableShape) -> Convert | None:
        fit = strict(column, shape, LIMITS, {"time": _time})
        if not column.is_key or column.kind not in ("text", "enum"):
            return fit

        def fit_key(value: Any) -> object:
            fitting = fit(value)
            if isinstance(fitting, str) and fitting.endswith(" "):
                raise ValueError(
                    f"column {column.name!r}: SQL Server takes {fitting!r} for the key without its last space"
                )
            return fitting

        return fit_key

    def put(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        quote = dialect.identifier_preparer.quote
        others = [name for name in upsert.inserted if name not in upsert.keys]
        return _merge(upsert, {name: (f"given.{quote(name)}", ()) for name in others}, dialect)

    def increment(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        return _merge(upsert, {name: _said(value, dialect) for name, value in upsert.changed.items()}, dialect)

    def kind(self, origin: BaseException) -> type[ProjectionError] | None:
        if type(origin).__module__ != "pyodbc":
            return None
        state = str(origin.args[0]) if origin.args else ""
        if state.startswith(_LATER):
            return StoreUnavailable
        return RowsRefused if state.startswith(_ROWS) else StoreFailed

    def shown(self, column: Column, value: Any) -> object:
        return time_text(value) if column.kind == "time" else value


def _merge(upsert: Upsert, changed: Mapping[str, tuple[str, tuple[str, ...]]], dialect: Dialect) -> Compiled:
    """HOLDLOCK keeps the key's place from others between looking and inserting.

    Parameters are cast: in a SELECT without a table the server cannot tell their types.
    """
    preparer, types = dialect.identifier_preparer, dialect.type_compiler_instance
    columns, names = upsert.table.c, list(upsert.inserted)
    casts: list[str] = []
    order: list[str] = []
    for name in names:
        text, wanted = _said(upsert.inserted[name], dialect)
        type_ = types.process(columns[name].type, type_expression=columns[name])
        casts.append(f"CAST({text} AS {type_.split(' COLLATE ')[0]}) AS {preparer.quote(name)}")
        order += wanted
    matches = " AND ".join(f"{_held(upsert, key, dialect)} = given.{preparer.quote(key)}" for key in upsert.keys)
    update = ""
    if changed:
        sets = ", ".join(f"{preparer.quote(name)} = {text}" for name, (text, _) in changed.items())
        update = f" WHEN MATCHED THEN UPDATE SET {sets}"
        order += [name for _, wanted in changed.values() for name in wanted]
    into = ", ".join(map(preparer.quote, names))
    values = ", ".join(f"given.{preparer.quote(name)}" for name in names)
    return Compiled(
        f"MERGE INTO {preparer.format_table(upsert.table)} WITH (HOLDLOCK) "  # noqa: S608  # quoted names, parameters
        f"USING (SELECT {', '.join(casts)}) AS given "
        f"ON ({matches}){update} WHEN NOT MATCHED THEN INSERT ({into}) VALUES ({values});",
        tuple(order),
    )


def _held(upsert: Upsert, name: str, dialect: Dialect) -> str:
    preparer = dialect.identifier_preparer
    return f"{preparer.format_table(upsert.table)}.{preparer.quote(name)}"


def _said(value: ColumnElement[Any], dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    said = value.compile(dialect=dialect)
    return str(said), tuple(said.positiontup or ())


def _time(value: datetime) -> str:
    return time_text(value).replace("Z", " +00:00")
