"""The statements of one table, compiled once and given to the driver with many rows at a time.

Values are parameters, always; names come from row classes and are quoted by SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Dialect, Table, and_, bindparam, delete, update
from sqlalchemy.sql.dml import UpdateBase

from shardlog.adapters.sql.dialects.choosing import dialect_of
from shardlog.adapters.sql.dialects.dialect import Compiled, SqlDialect, Upsert, compiled
from shardlog.adapters.sql.values import Convert, convert_rows, or_none
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import TableShape

Rows: TypeAlias = Sequence[tuple[object, ...]]


class Statement:
    """One compiled statement, and what makes a row of values fit it.

    names: the parameters, in the order of a row's values; the statement may want them in another, and not all.
    """

    __slots__ = ("_converters", "_order", "_says", "_text")

    def __init__(
        self, said: Compiled, names: Sequence[str], converters: Sequence[Convert | None], says: SqlDialect
    ) -> None:
        wanted = [names.index(name) for name in said.names]
        self._order = None if wanted == list(range(len(names))) else _picking(wanted)
        self._text = said.text
        self._converters = tuple(converters)
        self._says = says

    def execute(self, connection: Connection, rows: Rows) -> None:
        """Run it for each row."""
        values = convert_rows(rows, self._converters)
        ordered = list(values if self._order is None else map(self._order, values))
        self._says.check_rows(connection, ordered)
        connection.exec_driver_sql(self._text, ordered)


class _Increment(NamedTuple):
    """alike: for rows that are inserted with what they also add and set; `changed` and `given` say where both stand."""

    each: Statement
    alike: Statement | None
    inserted: Sequence[int]
    changed: Sequence[int]


class TableStatements:
    """Writes the changes of one table."""

    def __init__(self, table: Table, shape: TableShape, dialect: Dialect) -> None:
        self.table = table
        self._shape = shape
        self._dialect = dialect
        self._says = says = dialect_of(dialect)
        self._convert = {c.name: or_none(says.converter(c, shape), nullable=c.nullable) for c in shape.columns}
        self._names = tuple(column.name for column in shape.columns)
        self._put = self._statement(says.put(self._upsert(Columns((), ())), dialect), ("row_", self._names))
        self._remove = self._remove_statement()
        self._increments: dict[Columns, _Increment] = {}
        self._updates: dict[Columns, Statement] = {}

    def write(self, connection: Connection, changes: TableChanges) -> None:
        """All changes of the table; no row has two, so that the order of statements does not matter."""
        if changes.removes:
            self._remove.execute(connection, changes.removes)
        if changes.puts:
            self._put.execute(connection, changes.puts)
        for columns, rows in changes.increments.items():
            self._increment(connection, columns, rows)
        for columns, rows in changes.updates.items():
            if not columns.adds and not columns.sets:
                continue
            if columns not in self._updates:
                self._updates[columns] = self._update_statement(columns)
            self._updates[columns].execute(connection, rows)

    def _increment(self, connection: Connection, columns: Columns, rows: Rows) -> None:
        if columns not in self._increments:
            self._increments[columns] = self._increment_statements(columns)
        increment = self._increments[columns]
        if increment.alike is None:
            increment.each.execute(connection, rows)
            return
        alike: list[tuple[object, ...]] = []
        others: list[tuple[object, ...]] = []
        for row in rows:
            same = all(row[a] == row[b] for a, b in zip(increment.inserted, increment.changed, strict=True))
            (alike if same else others).append(row)
        if alike:
            increment.alike.execute(connection, alike)
        if others:
            increment.each.execute(connection, others)

    def _statement(self, said: Compiled | UpdateBase, *groups: tuple[str, Sequence[str]]) -> Statement:
        names = [prefix + name for prefix, columns in groups for name in columns]
        converters = [self._convert[name] for _, columns in groups for name in columns]
        text = compiled(said, self._dialect) if isinstance(said, UpdateBase) else said
        return Statement(text, names, converters, self._says)

    def _bind(self, prefix: str, name: str) -> ColumnElement[Any]:
        return bindparam(prefix + name, type_=self.table.c[name].type)

    def _upsert(self, columns: Columns) -> Upsert:
        inserted = {name: self._bind("row_", name) for name in self._names}
        return Upsert(self.table, self._shape.keys, inserted, self._changed(columns))

    def _changed(self, columns: Columns) -> dict[str, ColumnElement[Any]]:
        adds = {name: self._says.added(self.table.c[name], self._bind("add_", name)) for name in columns.adds}
        return {**adds, **{name: self._bind("set_", name) for name in columns.sets}}

    def _key_matches(self) -> ColumnElement[bool]:
        return and_(*(self.table.c[name] == self._bind("key_", name) for name in self._shape.keys))

    def _increment_statements(self, columns: Columns) -> _Increment:
        upsert, changed = self._upsert(columns), (*columns.adds, *columns.sets)
        groups = (("row_", self._names), ("add_", columns.adds), ("set_", columns.sets))
        each = self._statement(self._says.increment(upsert, self._dialect), *groups)
        text = self._says.increment_alike(upsert, columns.adds, columns.sets, self._dialect)
        alike = None if text is None else self._statement(text, *groups)
        places = range(len(self._names), len(self._names) + len(changed))
        return _Increment(each, alike, [self._names.index(name) for name in changed], places)

    def _update_statement(self, columns: Columns) -> Statement:
        statement = update(self.table).where(self._key_matches()).values(self._changed(columns))
        return self._statement(statement, ("add_", columns.adds), ("set_", columns.sets), ("key_", self._shape.keys))

    def _remove_statement(self) -> Statement:
        return self._statement(delete(self.table).where(self._key_matches()), ("key_", self._shape.keys))


def _picking(places: list[int]) -> Any:
    """Some of a row's values, as a tuple also where it is one."""
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)
