"""Rows of every kind of value, and questions about them, for what every projection reader must do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from shardlog.model.messages import AwareDatetime, Row
from shardlog.model.projection import Projection
from shardlog.model.rows import Key
from shardlog.ports.builds import Build
from shardlog.ports.reading import (
    Condition,
    Found,
    NamedQuery,
    Order,
    ProjectionReader,
    QueryParameter,
    ResultColumn,
    Selection,
)


class Measured(Row, name="contract_measured", floats=True):
    """One column of each kind."""

    id: Key[int]
    text: str
    number: int | None = None
    real: float = 0.5
    price: Decimal = Decimal(0)
    held: bool = False
    raw: bytes = b""
    at: AwareDatetime | None = None
    day: date | None = None
    uuid: UUID | None = None
    parts: tuple[str, ...] = ()


class Wider(Measured, name="contract_measured", floats=True):
    """The same with a column more."""

    added: str = "none"


MEASURED = Projection("measured", rows=[Measured])
BUILD = Build(MEASURED, 1)
UNMADE = Projection("unmade", rows=[Measured])
AT, DAY = datetime(2013, 1, 1, 10, 17, 0, 5, tzinfo=UTC), date(2013, 1, 1)
ID = UUID("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11")
COLUMNS = tuple(Measured.__struct_fields__)
ROWS: tuple[tuple[Any, ...], ...] = (
    (1, "one", 10, 0.5, Decimal("9.5"), True, b"\0a", AT, DAY, ID, ("x",)),
    (2, "two", None, -1.5, Decimal("10.25"), False, b"", None, None, None, ()),
    (3, "Three's 100%", 30, 1e300, Decimal("-2"), True, b"b", AT, DAY, ID, ("y", "z")),
    (4, "'; DROP TABLE contract_measured; --", 10, 0.0, Decimal("10.250"), False, b"b", AT, None, None, ()),
    (5, "", None, 0.25, Decimal("0.001"), True, b"", None, DAY, None, ()),
)
KINDS: dict[str, Any] = {
    "id": "integer", "text": "text", "number": "integer", "real": "real", "price": "decimal", "held": "boolean",
    "raw": "bytes", "at": "time", "day": "date", "uuid": "uuid",
}  # fmt: skip


def query(statement: str, *parameters: QueryParameter) -> NamedQuery:
    """A named query whose statement begins on line 7."""
    return NamedQuery("given", "", parameters, statement, Path("given.sql"), 7)


def selection(
    orders: Sequence[Order],
    behind: tuple[object, ...] | None,
    limit: int,
    projection: Projection = MEASURED,
    columns: tuple[str, ...] = COLUMNS,
    conditions: Sequence[Condition] = (),
) -> Selection:
    """Of the measured."""
    return Selection(projection, Measured, columns, conditions, orders, behind, limit)


def page(reader: ProjectionReader, orders: Sequence[Order], behind: tuple[object, ...] | None, limit: int) -> Found:
    """One page with the key and the first column that is sorted by, read and closed."""
    found = reader.select(selection(orders, behind, limit, columns=("id", orders[0].column)))
    rows = list(found.read(limit + 1))
    found.close()
    return _Read(found.columns, found.last, rows)


def paged(reader: ProjectionReader, orders: Sequence[Order], limit: int) -> list[tuple[object, ...]]:
    """All rows, page by page."""
    rows: list[tuple[object, ...]] = []
    behind: tuple[object, ...] | None = None
    while True:
        found = page(reader, orders, behind, limit)
        rows += [tuple(row) for row in found.read(limit)]
        if found.last is None:
            return rows
        behind = found.last


def ids(reader: ProjectionReader, conditions: Sequence[Condition]) -> list[object]:
    """The keys of the rows that meet these conditions."""
    return [row[0] for row in ids_and(reader, ("id",), conditions)]


def ids_and(
    reader: ProjectionReader, columns: tuple[str, ...], conditions: Sequence[Condition] = ()
) -> list[tuple[Any, ...]]:
    """Rows in the order of their keys."""
    found = reader.select(selection([Order("id", False)], None, 100, columns=columns, conditions=conditions))
    try:
        return list(found.read(100))
    finally:
        found.close()


def result(reader: ProjectionReader, asked: NamedQuery, **values: object) -> list[tuple[object, ...]]:
    """What a query returns."""
    found = reader.run(asked, values, [MEASURED])
    try:
        return list(found.read(100))
    finally:
        found.close()


class _Read(Found):
    """What was read of a result that is closed."""

    def __init__(
        self, columns: Sequence[ResultColumn], last: tuple[object, ...] | None, rows: list[tuple[object, ...]]
    ) -> None:
        self.columns, self.standings, self.last = columns, {}, last
        self._rows = rows

    def read(self, rows_max: int) -> Sequence[tuple[object, ...]]:
        return self._rows[:rows_max]

    def close(self) -> None:
        pass
