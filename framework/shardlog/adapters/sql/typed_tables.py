"""Tables for handlers of batches: their columns take and give what rows hold, in the form that rows are kept in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Column, Dialect, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from shardlog.adapters.sql.dialects.choosing import dialect_named
from shardlog.adapters.sql.tables import SQL_TYPES
from shardlog.adapters.sql.values import Convert, enum_value
from shardlog.model.messages import Row
from shardlog.model.rows import row_columns
from shardlog.ports.rows import Column as Described
from shardlog.ports.rows import Kind, table_shape

_POSTGRESQL: Mapping[Kind, Convert] = {"enum": enum_value, "int_enum": enum_value}


@lru_cache(maxsize=1_024)
def typed_table(name: str, row: type[Row], dialect: str) -> Table:
    """The row class as the table of this name. Made once, so that statements made of it are compiled once."""
    columns: list[Column[Any]] = [
        Column(
            column.name,
            _Kept(row, column.name, dialect) if _is_kept_otherwise(row, column, dialect) else SQL_TYPES[column.kind],
            primary_key=column.is_key,
            nullable=column.nullable,
            autoincrement=False,
        )
        for column in table_shape(row).columns
    ]
    return Table(name, MetaData(), *columns)


class _Kept(TypeDecorator[Any]):
    """A column of a row class, by name, in a database of this dialect."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True

    def __init__(self, row: type[Row], column: str, dialect: str) -> None:
        super().__init__()
        self.row = row
        self.column = column
        self.dialect = dialect
        described = next(found for found in table_shape(row).columns if found.name == column)
        self._kind = described.kind
        self._of = next(found.type for found in row_columns(row) if found.name == column)
        self._convert = _converter(row, described, dialect)
        self.impl = SQL_TYPES[described.kind]

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if self._kind == "json" and dialect.name != "sqlite":  # its own type makes the text
            return msgspec.to_builtins(value, order="deterministic")
        return value if self._convert is None else self._convert(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if self._kind == "json" and isinstance(value, str | bytes):
            return msgspec.json.decode(value, type=self._of)
        if isinstance(value, datetime) and value.tzinfo is None:  # of a database that keeps UTC, and no zones
            return value.replace(tzinfo=UTC)
        return msgspec.convert(value, self._of, strict=False)


def _converter(row: type[Row], column: Described, dialect: str) -> Convert | None:
    if dialect == "postgresql":
        return _POSTGRESQL.get(column.kind)
    return dialect_named(dialect).converter(column, table_shape(row))


def _is_kept_otherwise(row: type[Row], column: Described, dialect: str) -> bool:
    """Whether values are kept in another form than rows hold them in, or are looked at on their way."""
    if column.kind == "json" or _converter(row, column, dialect) is not None:
        return True
    return dialect != "postgresql" and column.kind in ("boolean", "time")
