"""A selection of rows as a SELECT: names are those of row classes, quoted by SQLAlchemy; values are parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    collate,
    false,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
)

from shardlog.adapters.sql.decimals import DECIMAL_COLLATION
from shardlog.adapters.sql.parameters import converter
from shardlog.ports.reading import Condition, Operator, Order, Selection
from shardlog.ports.rows import Column, TableShape, table_shape

_COMPARED: Mapping[Operator, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "in": lambda column, values: column.in_(values),
    "like": lambda column, pattern: column.like(pattern, escape="\\"),
    "null": lambda column, is_null: column.is_(None) if is_null else column.is_not(None),
}


class Selecting:
    """The statements of one selection. table: as the database has it. dialect: the name of the database's."""

    def __init__(self, table: Table, selection: Selection, dialect: str) -> None:
        self._table = table
        self._selection = selection
        self._dialect = dialect
        shape: TableShape = table_shape(selection.row)
        self._columns: dict[str, Column] = {column.name: column for column in shape.columns}

    def rows(self, shown: Callable[[Column, ColumnElement[Any]], ColumnElement[Any]]) -> Select[Any]:
        """The rows. shown: how a column is read."""
        wanted = [shown(self._columns[name], self._table.c[name]).label(name) for name in self._selection.columns]
        return self._ordered(select(*wanted)).limit(self._selection.limit)

    def last(self, shown: Callable[[Column, ColumnElement[Any]], ColumnElement[Any]]) -> Select[Any]:
        """The values of the orders in the last row, and in the one behind it where there is one: two rows then."""
        wanted = [shown(self._columns[o.column], self._table.c[o.column]) for o in self._selection.orders]
        return self._ordered(select(*wanted)).offset(self._selection.limit - 1).limit(2)

    def _ordered(self, wanted: Select[Any]) -> Select[Any]:
        selection = self._selection
        wanted = wanted.where(*(self._condition(condition) for condition in selection.conditions))
        if selection.behind is not None:
            wanted = wanted.where(self._behind(selection.orders, selection.behind))
        return wanted.order_by(*(self._order(order) for order in selection.orders))

    def _compared(self, name: str) -> ColumnElement[Any]:
        column: ColumnElement[Any] = self._table.c[name]
        return collate(type_coerce(column, Text()), DECIMAL_COLLATION) if self._is_collated(name) else column

    def _is_collated(self, name: str) -> bool:
        """Said once more than the table does: one that an earlier release made does not say it."""
        return self._dialect == "sqlite" and self._columns[name].kind == "decimal"

    def _bound(self, name: str, value: object) -> ColumnElement[Any]:
        """A parameter, even for true and false, which SQLAlchemy would write out."""
        convert = converter(self._columns[name], self._dialect)
        held = value if convert is None or value is None else convert(value)
        return literal(held, Text() if self._is_collated(name) else self._table.c[name].type)

    def _condition(self, condition: Condition) -> ColumnElement[bool]:
        name, operator, value = condition
        if operator == "null":
            return _COMPARED[operator](self._table.c[name], value)
        if operator == "in":
            assert isinstance(value, tuple)
            return _COMPARED[operator](self._compared(name), [self._bound(name, one) for one in value])
        return _COMPARED[operator](self._compared(name), self._bound(name, value))

    def _order(self, order: Order) -> ColumnElement[Any]:
        column = self._compared(order.column)
        if not self._columns[order.column].nullable:
            return column.desc() if order.is_descending else column.asc()
        return column.desc().nulls_first() if order.is_descending else column.asc().nulls_last()

    def _behind(self, orders: Sequence[Order], values: tuple[object, ...]) -> ColumnElement[bool]:
        """Rows that come behind the one with these values. One comparison where an index serves it."""
        pairs = list(zip(orders, values, strict=True))
        is_plain = all(not self._columns[o.column].nullable and not self._is_collated(o.column) for o in orders)
        if is_plain and len({order.is_descending for order in orders}) == 1:
            columns = tuple_(*(self._table.c[order.column] for order in orders))
            bound = tuple_(*(self._bound(order.column, value) for order, value in pairs))
            return columns < bound if orders[0].is_descending else columns > bound
        ways: list[ColumnElement[bool]] = []
        for place, (order, value) in enumerate(pairs):
            same = [self._same(before.column, held) for before, held in pairs[:place]]
            ways.append(and_(*same, self._after(order, value)))
        return or_(*ways)

    def _same(self, name: str, value: object) -> ColumnElement[bool]:
        return self._table.c[name].is_(None) if value is None else self._compared(name) == self._bound(name, value)

    def _after(self, order: Order, value: object) -> ColumnElement[bool]:
        """Null is the largest: last where values grow, first where they fall."""
        column = self._compared(order.column)
        if order.is_descending:
            bound = self._bound(order.column, value)
            return self._table.c[order.column].is_not(None) if value is None else column < bound
        if value is None:
            return false()
        more = column > self._bound(order.column, value)
        return or_(more, self._table.c[order.column].is_(None)) if self._columns[order.column].nullable else more
