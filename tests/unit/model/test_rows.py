"""Rows and changes: what a table is made of, and what can be said about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from shardlog import DomainError, Index, Key, Row, add, increment, put, remove, update
from shardlog.model.changes import Add, as_changes
from shardlog.model.rows import row_columns, row_defaults, row_indexes, row_key, table_name


class Departure(Row, name="departures"):
    flight: Key[str]
    day: Key[int]
    departs: Index[datetime | None] = None
    free: int = 0
    open: bool = True


def test_a_row_type_describes_its_table() -> None:
    assert table_name(Departure) == "departures"
    assert row_key(Departure) == ("flight", "day")
    assert row_indexes(Departure) == ("departs",)
    assert row_defaults(Departure) == {"departs": None, "free": 0, "open": True}


def test_a_column_says_its_type_without_marks_and_none() -> None:
    columns = {column.name: column for column in row_columns(Departure)}
    assert list(columns) == ["flight", "day", "departs", "free", "open"]
    assert (columns["departs"].type, columns["departs"].may_be_null) == (datetime, True)
    assert (columns["day"].type, columns["day"].may_be_null, columns["day"].default) == (int, False, msgspec.NODEFAULT)


def test_changes_name_the_row_by_its_key() -> None:
    assert update(Departure, "lh1", 3, free=add(-1)).values == {"free": Add(-1)}
    assert increment(Departure, "lh1", 3, free=2).key == ("lh1", 3)
    assert remove(Departure, "lh1", 3).key == ("lh1", 3)


def test_one_change_several_and_none_are_all_a_sequence() -> None:
    one = put(Departure(flight="lh1", day=3))
    assert (as_changes(None), as_changes(one), as_changes([one, one])) == ((), (one,), [one, one])


@pytest.mark.parametrize(
    ("column", "amount", "message"),
    [
        ("day", 1, "Departure.day is of the key"),
        ("open", 1, "Departure.open is no int, and only int columns can be incremented"),
        ("fre", 1, "has no column 'fre' to increment; did you mean 'free'"),
        ("free", "1", "increment of Departure.free by '1': an increment is an int"),
        ("free", True, "increment of Departure.free by True: an increment is an int"),
    ],
)
def test_an_increment_is_of_int_columns_by_ints(column: str, amount: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        increment(Departure, "lh1", 3, **{column: amount})


def test_a_key_has_all_its_parts() -> None:
    with pytest.raises(DomainError, match=r"Departure has the key \(flight, day\), and got 1 value"):
        update(Departure, "lh1", free=1)
