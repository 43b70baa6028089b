"""Tables in SQL Server, by SQLAlchemy's compilers and what projections need besides. No server has run them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Dialect, LargeBinary, Text
from sqlalchemy.dialects.mssql.base import MSTypeCompiler

from shardlog.adapters.sql.dialects.fitting import Limits

LIMITS = Limits("SQL Server", key_bytes=800, character_bytes=2, decimal_digits=38, decimal_places=10)
"""A clustered index takes 900 bytes: numbers, times and ids of a key have the rest. A sum has its decimals' places."""
COLLATION = "Latin1_General_100_BIN2"
"""By code points."""


def speak_mssql(dialect: Dialect) -> None:
    """Make a dialect of SQLAlchemy's compile tables as they are here."""
    dialect.type_compiler_instance = _Types(dialect)


class _Types(MSTypeCompiler):
    """Each kind of column."""

    def visit_text(self, type_: Any, type_expression: Any = None, **more: Any) -> str:
        count = _share(type_expression)
        length = "max" if count is None else str(LIMITS.characters_each(count))
        return f"NVARCHAR({length}) COLLATE {COLLATION}"

    def visit_large_binary(self, type_: Any, type_expression: Any = None, **more: Any) -> str:
        count = _share(type_expression)
        return f"VARBINARY({'max' if count is None else LIMITS.bytes_each(count)})"

    def visit_JSON(self, type_: Any, **more: Any) -> str:  # SQLAlchemy's name
        return "NVARCHAR(max)"

    def visit_boolean(self, type_: Any, **more: Any) -> str:
        return "BIT"

    def visit_numeric(self, type_: Any, **more: Any) -> str:
        return f"DECIMAL({LIMITS.decimal_digits}, {LIMITS.decimal_places})"

    def visit_datetime(self, type_: Any, **more: Any) -> str:
        return "DATETIMEOFFSET(6)"


def _share(column: Column[Any] | None) -> int | None:
    """With how many texts and byte strings the column shares its key or index; None where it is in neither."""
    if column is None or column.table is None:
        return None
    table = column.table
    groups = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes)]
    counts = [sum(isinstance(c.type, Text | LargeBinary) for c in group) for group in groups if column in group]
    return max(counts, default=None)
