"""Joins: views over two tables of one projection, which join what events of different aggregates have written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

from msgspec.inspect import Metadata, type_info

from shardlog.errors import DomainError
from shardlog.model.given import check_class, check_name
from shardlog.model.messages import Row
from shardlog.model.names import closest, show
from shardlog.model.rows import Column, row_columns

Picked: TypeAlias = Sequence[str] | Mapping[str, str]
"""Columns by their names, or by the names that they have in the view: `{"ledger_balance": "balance"}`."""
Keeps: TypeAlias = Literal["matches", "left"]


class Pick(NamedTuple):
    """A column of the view: its name there, and where it is from."""

    name: str
    row: type[Row]
    column: Column


class Join:
    """A view over two row classes of a projection, for each pair of rows that agree in some columns.

    Rows are written by events of one routing key, or by increments alone. So what aggregates of several routing keys
    know together is not written into one row: each writes its own, and they are joined when they are read. The view is
    of the projection's build, as its tables are, and switches with them.

    name: of the view. left, right: rows of the projection; two different ones. on: columns of the left row with those
    of the right one that must be equal, or names that both have. left_columns, right_columns: what the view has of each
    row; all of the left one's columns, and of the right one's all that are not joined on, where nothing is said.
    keeps: "matches" alone, or every row of the "left" one, with null in the right one's columns where nothing matches.
    comment: what analysts read about it. Raises DomainError.

    >>> from shardlog import Index, Join, Key, Row
    >>> class Flight(Row, name="flights"):
    ...     flight: Key[str]
    ...     tail: Index[str]
    >>> class Plane(Row, name="planes"):
    ...     tail: Key[str]
    ...     seats: int = 0
    >>> [pick.name for pick in Join("flights_with_planes", Flight, Plane, on=["tail"]).picks]
    ['flight', 'tail', 'seats']
    """

    def __init__(
        self,
        name: str,
        left: type[Row],
        right: type[Row],
        *,
        on: Picked,
        left_columns: Picked | None = None,
        right_columns: Picked | None = None,
        keeps: Keeps = "matches",
        comment: str = "",
    ) -> None:
        check_name("join", name)
        owner = f"join {name!r}"
        check_class(Row, left, owner, "left")
        check_class(Row, right, owner, "right")
        if left is right:
            raise DomainError(f"{owner} joins {show(left)} with itself: a join is of two tables")
        if keeps not in get_args(Keeps):
            raise DomainError(f"{owner}: keeps={keeps!r}, and must be one of {', '.join(get_args(Keeps))}")
        self.name: Final = name
        self.left: Final = left
        self.right: Final = right
        self.keeps: Final = keeps
        self.comment: Final = comment
        self.on: Final[Mapping[str, str]] = MappingProxyType(_checked_on(owner, left, right, on))
        rest = [column.name for column in row_columns(right) if column.name not in self.on.values()]
        self.picks: Final = (
            *_picks(
                owner,
                left,
                "left_columns",
                [c.name for c in row_columns(left)] if left_columns is None else left_columns,
            ),
            *_picks(owner, right, "right_columns", rest if right_columns is None else right_columns),
        )
        _check_names(owner, self.picks)


def _checked_on(owner: str, left: type[Row], right: type[Row], on: Picked) -> dict[str, str]:
    pairs = _named(owner, "on", on)
    if not pairs:
        raise DomainError(f"{owner}: on is empty, and each row would be joined with all: name the columns that agree")
    for ours, theirs in pairs.items():
        one, other = _column(owner, "on", left, ours), _column(owner, "on", right, theirs)
        if _kind(one) is not _kind(other):
            raise DomainError(
                f"{owner}: {left.__name__}.{ours} is {show(one.type)} and {right.__name__}.{theirs} is "
                f"{show(other.type)}: they are never equal. Join columns of one type"
            )
    return pairs


def _picks(owner: str, row: type[Row], argument: str, picked: Picked) -> list[Pick]:
    named = _named(owner, argument, picked)
    return [Pick(name, row, _column(owner, argument, row, column)) for name, column in named.items()]


def _check_names(owner: str, picks: Sequence[Pick]) -> None:
    seen: dict[str, Pick] = {}
    for pick in picks:
        first = seen.setdefault(pick.name, pick)
        if first is not pick:
            other = f"{pick.row.__name__.lower()}_{pick.name}"
            raise DomainError(
                f"{owner} has two columns {pick.name!r}, of {first.row.__name__} and of {pick.row.__name__}: give one "
                f"another name, as in `right_columns={{{other!r}: {pick.column.name!r}}}`"
            )
    if not picks:
        raise DomainError(f"{owner} has no columns: name some as left_columns or right_columns")


def _named(owner: str, argument: str, picked: Picked) -> dict[str, str]:
    """Columns by their names in the view."""
    named = dict(picked) if isinstance(picked, Mapping) else None
    if named is None and not isinstance(picked, str):
        named = {name: name for name in cast("Sequence[str]", picked)}
    if named is None or not all(isinstance(name, str) for pair in named.items() for name in pair):
        raise DomainError(
            f"{owner}: {argument}={picked!r}, and must be names of columns: `{argument}=[...]`, or a mapping to them"
        )
    return named


def _column(owner: str, argument: str, row: type[Row], name: str) -> Column:
    columns = {column.name: column for column in row_columns(row)}
    if name not in columns:
        raise DomainError(
            f"{owner}: {argument} names {name!r}, and {row.__name__} has no such column{closest(name, columns)}"
        )
    return columns[name]


def _kind(column: Column) -> Any:
    info = type_info(column.type)
    return type(info.type if isinstance(info, Metadata) else info)
