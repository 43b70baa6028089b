"""Tables in MariaDB: InnoDB, texts that compare byte for byte, and types of which none rounds or cuts silently.

SQLAlchemy's compilers of MariaDB's types and tables, with what projections need besides; so the tables that are made,
and what a table that is there is compared with, are said in one place.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Dialect, Index, LargeBinary, String, Table, Text
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler, MySQLTypeCompiler

from shardlog.adapters.sql.dialects.fitting import Limits

LIMITS = Limits("MariaDB", key_bytes=2_800, character_bytes=4, decimal_digits=65, decimal_places=20)
"""InnoDB's index takes 3,072 bytes: numbers, times and ids of a key have the rest."""
INDEX_CHARACTERS = 190
"""How much of a text an index that is no key holds; longer texts are found all the same."""
COLLATION = "utf8mb4_nopad_bin"
"""By code points, which is byte for byte in UTF-8; NOPAD: "a" and "a " are two texts, as they are elsewhere."""
COLUMN_COMMENT_MAX, TABLE_COMMENT_MAX = 1_024, 2_048


def speak_mariadb(dialect: Dialect) -> None:
    """Make a dialect of SQLAlchemy's compile tables as they are here."""
    dialect.type_compiler_instance = _Types(dialect)
    dialect.ddl_compiler = _Tables


class _Types(MySQLTypeCompiler):
    """Each kind of column. What is read back from a table is said in the same words."""

    def visit_text(self, type_: Any, type_expression: Any = None, **more: Any) -> str:
        if (count := _key_share(type_expression)) is not None:
            return f"VARCHAR({LIMITS.characters_each(count)})"
        return "LONGTEXT"

    def visit_large_binary(self, type_: Any, type_expression: Any = None, **more: Any) -> str:
        if (count := _key_share(type_expression)) is not None:
            return f"VARBINARY({LIMITS.bytes_each(count)})"
        return "LONGBLOB"

    def visit_JSON(self, type_: Any, **more: Any) -> str:  # SQLAlchemy's name
        return "LONGTEXT"

    def visit_boolean(self, type_: Any, **more: Any) -> str:
        return "TINYINT(1)"

    def visit_TINYINT(self, type_: Any, **more: Any) -> str:
        return "TINYINT(1)"

    def visit_BIGINT(self, type_: Any, **more: Any) -> str:
        return "BIGINT UNSIGNED" if getattr(type_, "unsigned", False) else "BIGINT"

    def visit_numeric(self, type_: Any, **more: Any) -> str:
        return f"DECIMAL({LIMITS.decimal_digits}, {LIMITS.decimal_places})"

    def visit_datetime(self, type_: Any, **more: Any) -> str:
        return "DATETIME(6)"


class _Tables(MySQLDDLCompiler):
    """CREATE TABLE and CREATE INDEX."""

    def get_column_specification(self, column: Column[Any], **more: Any) -> str:
        whole = column.comment
        column.comment = _cut(whole, COLUMN_COMMENT_MAX)
        try:
            return super().get_column_specification(column, **more)
        finally:
            column.comment = whole

    def post_create_table(self, table: Table) -> str:
        text = f" ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE={COLLATION}"
        comment = _cut(table.comment, TABLE_COMMENT_MAX)
        if comment is None:
            return text
        return f"{text} COMMENT={self.sql_compiler.render_literal_value(comment, String())}"

    def visit_create_index(self, create: Any, *given: Any, **more: Any) -> str:
        index: Index = create.element
        parts = [column for column in index.columns if isinstance(column.type, Text) and not column.primary_key]
        index.dialect_options["mariadb"]["length"] = {column.name: INDEX_CHARACTERS for column in parts} or None
        return super().visit_create_index(create, *given, **more)


def _key_share(column: Column[Any] | None) -> int | None:
    """With how many texts and byte strings the column shares its table's key; None where it is none of the key's."""
    if column is None or not column.primary_key or column.table is None:
        return None
    return sum(isinstance(other.type, Text | LargeBinary) for other in column.table.primary_key.columns)


def _cut(comment: str | None, characters_max: int) -> str | None:
    return comment if comment is None or len(comment) <= characters_max else comment[: characters_max - 1] + "…"
