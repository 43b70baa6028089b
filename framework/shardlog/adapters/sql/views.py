"""The views that analysts use: one over each table of the build that serves, with what its row class says of it."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from shardlog.adapters.sql.owners import View


class ViewWriter(Protocol):
    """How a database's views are changed, inside of the transaction that is there."""

    def show(self, connection: Connection, view: View, /) -> None:
        """Let the view show its table, whatever it showed before. Raises BuildRefused where something prevents it."""

    def hide(self, connection: Connection, name: str, /) -> None:
        """Drop a view, where it is there. Raises BuildRefused where something depends on it."""


class CreateView(ExecutableDDLElement):
    """A view over all columns of a table, by name, in place of one that can be replaced."""

    inherit_cache = False

    def __init__(self, view: View) -> None:
        self.view = view


class DropView(ExecutableDDLElement):
    """A view's end, where it is there."""

    inherit_cache = False

    def __init__(self, name: str) -> None:
        self.name = name


class PlainViews:
    """Views of databases without rights and comments of views."""

    def show(self, connection: Connection, view: View, /) -> None:
        """Replace it: readers see the old one or the new one, since tables are not touched."""
        if connection.dialect.name == "sqlite":  # which replaces no view
            self.hide(connection, view.name)
        connection.execute(CreateView(view))

    def hide(self, connection: Connection, name: str, /) -> None:
        """Drop it where it is there."""
        connection.execute(DropView(name))


@compiles(CreateView)
def _create(element: CreateView, compiler: DDLCompiler, **_: Any) -> str:
    quote, view = compiler.preparer.quote, element.view
    columns = ", ".join(map(quote, view.described.columns))
    return f"CREATE OR REPLACE VIEW {quote(view.name)} AS SELECT {columns} FROM {quote(view.table)}"  # noqa: S608  # names, quoted


@compiles(CreateView, "sqlite")
def _create_sqlite(element: CreateView, compiler: DDLCompiler, **_: Any) -> str:
    """SQLite keeps the text of a view, and shows it in `.schema`: the comments stand there."""
    quote, (name, table, described) = compiler.preparer.quote, element.view
    columns = [f"  {quote(column)}{_comment(text)}" for column, text in described.columns.items()]
    listed = ",\n".join(columns)
    return f"CREATE VIEW {quote(name)}{_comment(described.comment)} AS SELECT\n{listed}\nFROM {quote(table)}"


@compiles(DropView)
def _drop(element: DropView, compiler: DDLCompiler, **_: Any) -> str:
    return f"DROP VIEW IF EXISTS {compiler.preparer.quote(element.name)}"


def _comment(text: str) -> str:
    return f" /* {text.replace('*/', '* /')} */" if text else ""
