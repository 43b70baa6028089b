"""Tables in memory: rows by key, holding the values as projections gave them."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import TypeAlias, TypeGuard

import msgspec

from shardlog.errors import RowsRefused, TableMismatch
from shardlog.model.integers import why_beyond
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import PYTHON_TYPES, Column, Number, TableShape, exact_sum

Values: TypeAlias = tuple[object, ...]


class MemoryTable:
    """Rows by key, in the columns of a shape."""

    def __init__(self, name: str, shape: TableShape) -> None:
        self.name = name
        self.columns = {column.name: place for place, column in enumerate(shape.columns)}
        self.shape = shape
        self.rows: dict[Values, Values] = {}
        self._key = [place for place, column in enumerate(shape.columns) if column.is_key]

    def copied(self) -> MemoryTable:
        """Another table with the same rows."""
        other = copy(self)
        other.rows = dict(self.rows)
        return other

    def write(self, changes: TableChanges) -> None:
        """Apply changes. Raises RowsRefused for a value that does not fit."""
        for row in changes.puts:
            self._set(row)
        for columns, rows in changes.increments.items():
            for values in rows:
                whole = values[: len(self.columns)]
                held = self.rows.get(self._key_of(whole))
                if held is None:
                    self._set(whole)
                else:
                    self._change(held, columns, values[len(self.columns) :])
        for columns, rows in changes.updates.items():
            for values in rows:
                width = len(columns.adds) + len(columns.sets)
                held = self.rows.get(values[width:])
                if held is not None:
                    self._change(held, columns, values[:width])
        for key in changes.removes:
            self.rows.pop(key, None)

    def _change(self, held: Values, columns: Columns, given: Values) -> None:
        row = list(held)
        for name, amount in zip(columns.adds, given, strict=False):
            place = self.columns[name]
            row[place] = self._sum(name, row[place], amount)
        for name, value in zip(columns.sets, given[len(columns.adds) :], strict=True):
            row[self.columns[name]] = value
        self._set(tuple(row))

    def _sum(self, name: str, held: object, amount: object) -> Number:
        if isinstance(held, int | Decimal) and isinstance(amount, int | Decimal):
            return exact_sum(held, amount)
        raise RowsRefused(f"table {self.name!r}, column {name!r}: {amount!r} cannot be added to {held!r}")

    def _set(self, row: Values) -> None:
        for column, value in zip(self.shape.columns, row, strict=True):
            if not _fits(column, value):
                raise RowsRefused(f"table {self.name!r}, column {column.name!r} takes no {value!r} ({column.kind})")
            beyond = why_beyond(self.name, column.name, value) if _is_integer(value, column) else None
            if beyond is not None:
                raise RowsRefused(beyond)
        self.rows[self._key_of(row)] = row

    def _key_of(self, row: Values) -> Values:
        return tuple(row[place] for place in self._key)


def check_shape(table: MemoryTable, shape: TableShape) -> None:
    """Raises TableMismatch where a table has other columns than its row class."""
    wanted = {column.name for column in shape.columns}
    problems = [f"column {name!r} is missing" for name in sorted(wanted - table.columns.keys())]
    problems += [f"column {name!r} is not in the row class" for name in table.columns if name not in wanted]
    if problems:
        raise TableMismatch(f"table {table.name!r} is not as its row class says: {'; '.join(problems)}")


def _fits(column: Column, value: object) -> bool:
    if value is None:
        return column.nullable
    if column.kind == "json":
        return _is_json(value)
    return isinstance(value, PYTHON_TYPES[column.kind])


def _is_integer(value: object, column: Column) -> TypeGuard[int]:
    return column.kind == "integer" and isinstance(value, int)


def _is_json(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
