"""The statements of one table: each writes all rows of a group, given as one array a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from psycopg import Connection, Cursor
from psycopg.sql import SQL, Composable, Composed, Identifier
from sqlalchemy import Table

from shardlog.adapters.postgresql.arrays import ARRAY_TYPES, array_literal
from shardlog.errors import StoreUnavailable
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import Column, TableShape

Rows: TypeAlias = Sequence[tuple[object, ...]]
Driver: TypeAlias = Connection[tuple[Any, ...]]


class TableStatements:
    """Writes the changes of one table. Names are quoted, values are parameters, always."""

    def __init__(self, table: Table, shape: TableShape) -> None:
        self.table = table
        self._columns = {column.name: column for column in shape.columns}
        self._names = tuple(self._columns)
        self._keys = shape.keys

    def write(self, driver: Driver, changes: TableChanges) -> list[tuple[list[Cursor[Any]], int]]:
        """Send all changes of the table; no row has two. Returns what `check` looks at, once the answers are there."""
        counted: list[tuple[list[Cursor[Any]], int]] = []
        if changes.removes:
            driver.execute(self._remove(), self._literals(self._keys, changes.removes))
        if changes.puts:
            others = [name for name in self._names if name not in self._keys]
            put = self._upsert(self._names, {name: SQL("excluded.{}").format(Identifier(name)) for name in others})
            driver.execute(put, self._literals(self._names, changes.puts))
        for columns, rows in changes.increments.items():
            self._increment(driver, columns, rows, counted)
        for columns, rows in changes.updates.items():
            if columns.adds or columns.sets:
                names = (*columns.adds, *columns.sets, *self._keys)
                driver.execute(self._update(columns), self._literals(names, rows))
        return counted

    def _increment(
        self, driver: Driver, columns: Columns, rows: Rows, counted: list[tuple[list[Cursor[Any]], int]]
    ) -> None:
        """One upsert where a missing row gets just what a present one is added; else an update and an insert.

        The two meet all rows, unless another worker inserts one between them: then the batch is tried again.
        """
        changed = (*columns.adds, *columns.sets)
        literals = self._literals((*self._names, *changed), rows)
        inserted, given = literals[: len(self._names)], literals[len(self._names) :]
        by_name = dict(zip(self._names, inserted, strict=True))
        if [by_name[name] for name in changed] == given:
            driver.execute(self._upsert(self._names, self._sums(columns, "excluded")), inserted)
            return
        keys = [by_name[name] for name in self._keys]
        updated = driver.execute(self._update(columns), [*given, *keys])
        counted.append(([updated, driver.execute(self._upsert(self._names, {}), inserted)], len(rows)))

    def _sums(self, columns: Columns, source: str) -> dict[str, Composable]:
        given = Identifier(source)
        sums: dict[str, Composable] = {
            name: SQL("held.{0} + {1}.{0}").format(Identifier(name), given) for name in columns.adds
        }
        return {**sums, **{name: SQL("{}.{}").format(given, Identifier(name)) for name in columns.sets}}

    def _literals(self, names: Sequence[str], rows: Rows) -> list[str]:
        columns: list[Column] = [self._columns[name] for name in names]
        try:
            return [array_literal(*pair) for pair in zip(columns, zip(*rows, strict=True), strict=True)]
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(f"table {self.table.name!r}: {error}") from error

    def _arrays(self, names: Sequence[str]) -> Composed:
        casts = [SQL("%s::" + ARRAY_TYPES[self._columns[name].kind]) for name in names]
        return SQL("unnest({}) AS given({})").format(SQL(", ").join(casts), self._list(names))

    def _upsert(self, names: Sequence[str], changed: dict[str, Composable]) -> Composed:
        return SQL("INSERT INTO {} AS held ({}) SELECT * FROM {} ON CONFLICT ({}) DO {}").format(
            Identifier(self.table.name),
            self._list(names),
            self._arrays(names),
            self._list(self._keys),
            SQL("UPDATE SET {}").format(_assigned(changed)) if changed else SQL("NOTHING"),
        )

    def _update(self, columns: Columns) -> Composed:
        names = (*columns.adds, *columns.sets, *self._keys)
        return SQL("UPDATE {} AS held SET {} FROM {} WHERE {}").format(
            Identifier(self.table.name), _assigned(self._sums(columns, "given")), self._arrays(names), self._matches()
        )

    def _remove(self) -> Composed:
        return SQL("DELETE FROM {} AS held USING {} WHERE {}").format(
            Identifier(self.table.name), self._arrays(self._keys), self._matches()
        )

    def _matches(self) -> Composed:
        return SQL(" AND ").join(SQL("held.{0} = given.{0}").format(Identifier(name)) for name in self._keys)

    @staticmethod
    def _list(names: Sequence[str]) -> Composed:
        return SQL(", ").join(map(Identifier, names))


def check(table: str, counted: list[tuple[list[Cursor[Any]], int]]) -> None:
    """Raises StoreUnavailable where an update and an insert have missed a row that somebody else just inserted."""
    for cursors, rows in counted:
        if sum(cursor.rowcount for cursor in cursors) != rows:
            raise StoreUnavailable(
                f"table {table!r}: another worker inserted a row at the same time. Nothing was written; it is tried "
                "again."
            )


def _assigned(changed: dict[str, Composable]) -> Composed:
    return SQL(", ").join(SQL("{} = {}").format(Identifier(name), value) for name, value in changed.items())
