"""The statements of one table, compiled once and given to the driver with many rows at a time.

Values are parameters, always; names come from row classes and are quoted by SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, Dialect, Table, and_, bindparam, delete, func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from shardlog.adapters.sql.values import Convert, convert_rows, converter
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import TableShape

DECIMAL_ADD = "shardlog_decimal_add"
"""A function that the SQLite adapter gives its connections: exact sums of decimals that are kept as text."""

_INSERT: dict[str, Callable[[Table], sqlite.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": cast("Callable[[Table], sqlite.Insert]", postgresql.insert),
}
"""Both dialects say `on_conflict` alike, without a common type."""
Rows: TypeAlias = Sequence[tuple[object, ...]]


class Statement:
    """One compiled statement, and what makes a row of values fit it.

    names: the parameters, in the order of a row's values; the statement may want them in another.
    """

    __slots__ = ("_converters", "_order", "_text")

    def __init__(
        self, statement: UpdateBase, names: Sequence[str], converters: Sequence[Convert | None], dialect: Dialect
    ) -> None:
        compiled = statement.compile(dialect=dialect)
        wanted = [names.index(name) for name in compiled.positiontup or ()]
        self._order = None if wanted == list(range(len(names))) else itemgetter(*wanted)
        self._text = str(compiled)
        self._converters = tuple(converters)

    def execute(self, connection: Connection, rows: Rows) -> None:
        """Run it for each row."""
        values = convert_rows(rows, self._converters)
        connection.exec_driver_sql(self._text, list(values if self._order is None else map(self._order, values)))


class TableStatements:
    """Writes the changes of one table."""

    def __init__(self, table: Table, shape: TableShape, dialect: Dialect) -> None:
        self.table = table
        self._shape = shape
        self._dialect = dialect
        self._insert = _INSERT[dialect.name]
        self._convert = {column.name: converter(column, dialect.name) for column in shape.columns}
        self._names = tuple(column.name for column in shape.columns)
        self._decimals = (
            {c.name for c in shape.columns if c.kind == "decimal"} if dialect.name == "sqlite" else set[str]()
        )
        self._put = self._put_statement()
        self._remove = self._remove_statement()
        self._increments: dict[Columns, Statement] = {}
        self._updates: dict[Columns, Statement] = {}

    def write(self, connection: Connection, changes: TableChanges) -> None:
        """All changes of the table; no row has two, so that the order of statements does not matter."""
        if changes.removes:
            self._remove.execute(connection, changes.removes)
        if changes.puts:
            self._put.execute(connection, changes.puts)
        for columns, rows in changes.increments.items():
            if columns not in self._increments:
                self._increments[columns] = self._increment_statement(columns)
            self._increments[columns].execute(connection, rows)
        for columns, rows in changes.updates.items():
            if not columns.adds and not columns.sets:
                continue
            if columns not in self._updates:
                self._updates[columns] = self._update_statement(columns)
            self._updates[columns].execute(connection, rows)

    def _statement(self, statement: UpdateBase, *groups: tuple[str, Sequence[str]]) -> Statement:
        names = [prefix + name for prefix, columns in groups for name in columns]
        converters = [self._convert[name] for _, columns in groups for name in columns]
        return Statement(statement, names, converters, self._dialect)

    def _bind(self, prefix: str, name: str) -> ColumnElement[Any]:
        return bindparam(prefix + name, type_=self.table.c[name].type)

    def _inserted(self) -> dict[str, ColumnElement[Any]]:
        return {name: self._bind("row_", name) for name in self._names}

    def _changed(self, columns: Columns) -> dict[str, ColumnElement[Any]]:
        changed: dict[str, ColumnElement[Any]] = {}
        for name in columns.adds:
            column, amount = self.table.c[name], self._bind("add_", name)
            changed[name] = getattr(func, DECIMAL_ADD)(column, amount) if name in self._decimals else column + amount
        return {**changed, **{name: self._bind("set_", name) for name in columns.sets}}

    def _key_matches(self) -> ColumnElement[bool]:
        return and_(*(self.table.c[name] == self._bind("key_", name) for name in self._shape.keys))

    def _put_statement(self) -> Statement:
        insert = self._insert(self.table).values(self._inserted())
        others = {name: insert.excluded[name] for name in self._names if name not in self._shape.keys}
        keys = list(self._shape.keys)
        put = (
            insert.on_conflict_do_update(index_elements=keys, set_=others)
            if others
            else insert.on_conflict_do_nothing(index_elements=keys)
        )
        return self._statement(put, ("row_", self._names))

    def _increment_statement(self, columns: Columns) -> Statement:
        insert = self._insert(self.table).values(self._inserted())
        keys, changed = list(self._shape.keys), self._changed(columns)
        increment = (
            insert.on_conflict_do_update(index_elements=keys, set_=changed)
            if changed
            else insert.on_conflict_do_nothing(index_elements=keys)
        )
        return self._statement(increment, ("row_", self._names), ("add_", columns.adds), ("set_", columns.sets))

    def _update_statement(self, columns: Columns) -> Statement:
        statement = update(self.table).where(self._key_matches()).values(self._changed(columns))
        return self._statement(statement, ("add_", columns.adds), ("set_", columns.sets), ("key_", self._shape.keys))

    def _remove_statement(self) -> Statement:
        return self._statement(delete(self.table).where(self._key_matches()), ("key_", self._shape.keys))
