"""Values of every kind come back from their texts as they were; what is none is refused, and no text is a trap."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardlog import Key, Row
from shardlog.ports.reading import OPERATORS, Order, ResultColumn
from shardlog.ports.rows import Kind, TableShape, table_shape
from shardlog.query.cursors import CHARACTERS_MAX, Unheld, cursor_of, filled, place_of
from shardlog.query.formats import CsvWriter, NdjsonWriter, inferred
from shardlog.query.problems import RequestRefused
from shardlog.query.values import EXPECTED, INTEGER_MAX, INTEGER_MIN, parsed, text_of

TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=50)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(INTEGER_MIN, INTEGER_MAX),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=20),
    "text": TEXTS,
    "bytes": st.binary(max_size=50),
    "time": st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)),
    "date": st.dates(),
    "uuid": st.uuids(),
    "enum": TEXTS,
    "int_enum": st.integers(INTEGER_MIN, INTEGER_MAX),
}


@pytest.mark.parametrize("kind", list(VALUES))
def test_a_value_comes_back_from_its_text(kind: Kind) -> None:
    @given(VALUES[kind])
    def check(value: Any) -> None:
        assert parsed(kind, text_of(value)) == value

    check()


def test_every_kind_is_described_and_has_its_operators() -> None:
    assert set(EXPECTED) == set(OPERATORS) == set(get_args(Kind)) == {*VALUES, "json"}


@pytest.mark.parametrize("kind", get_args(Kind))
@given(text=st.text(max_size=100))
def test_any_other_text_is_refused_in_words(kind: Kind, text: str) -> None:
    why = refused(kind, text)
    assert why in ("", f"must be {EXPECTED[kind]}")


def refused(kind: Kind, text: str) -> str:
    """Why a text is no value of this kind; nothing where it is one."""
    try:
        parsed(kind, text)
    except ValueError as error:
        return str(error)
    return ""


NEVER = [
    "9" * 100_000,
    "1e999999999",
    "1E+999999",
    "-" * 50_000,
    "1_000",
    "١٢",
    "+" * 9,
    " 1",
    "1 ",
    "nan",
    "inf",
    "0x1",
]


@pytest.mark.parametrize("kind", ["boolean", "integer", "real", "decimal", "time", "date", "uuid", "int_enum", "json"])
@pytest.mark.parametrize("text", NEVER, ids=range(len(NEVER)))
def test_a_text_that_would_cost_much_or_is_half_a_number_is_refused(kind: Kind, text: str) -> None:
    assert refused(kind, text)


class Named(Row, name="t", floats=True):
    b: Key[int]
    a: str | None = None
    price: Decimal = Decimal(0)
    real: float = 0.0


class Whole(Row, name="t"):
    b: Key[int]
    a: str


class Other(Row, name="u"):
    b: Key[int]
    a: str | None = None


class Long(Row, name="t"):
    a: Key[str]
    b: int = 0


T, ORDERS = table_shape(Named), [Order("a", False), Order("b", True)]


def back(shape: TableShape, orders: list[Order], values: tuple[object, ...]) -> tuple[object, ...]:
    """What a cursor says, and what it had no room for read again from its row."""
    cursor = cursor_of(shape, orders, values)
    assert len(cursor) <= CHARACTERS_MAX and cursor.isascii()
    place = place_of(cursor, shape, orders)
    return filled(place, orders, [now for now, kept in zip(values, place, strict=True) if isinstance(kept, Unheld)])


@given(st.none() | TEXTS, st.integers(INTEGER_MIN, INTEGER_MAX))
def test_a_cursor_comes_back(a: str | None, b: int) -> None:
    assert back(T, ORDERS, (a, b)) == (a, b)


@pytest.mark.parametrize(
    "text", ["x" * 200, "x" * 201, "x" * 5_000, "ä" * 150, "\U0001f600" * 100_000, "a\0b", '"' * 200]
)
def test_a_cursor_is_short_however_long_a_text_is(text: str) -> None:
    assert back(T, ORDERS, (text, 1)) == (text, 1)


@pytest.mark.parametrize("text", ["1e99999", "-1e-99999", "9" * 101, "0." + "1" * 101, "12.50"])
def test_a_cursor_is_short_however_many_digits_a_decimal_has(text: str) -> None:
    orders = [Order("price", True), Order("b", True)]
    assert back(T, orders, (Decimal(text), 1)) == (Decimal(text), 1)


@pytest.mark.parametrize("now", [None, [], ["y" * 5_000]])
def test_a_long_value_that_changed_since_is_said_to_have_changed(now: list[object] | None) -> None:
    place = place_of(cursor_of(T, ORDERS, ("x" * 5_000, 1)), T, ORDERS)
    with pytest.raises(RequestRefused, match="has changed since, or is gone, and its a was too long"):
        filled(place, ORDERS, now)


def test_a_key_that_no_cursor_can_hold_is_refused_before_its_cursor_is_given() -> None:
    with pytest.raises(RequestRefused, match=r"invalid_query: .*whose key \(a\) is too long .*3000.* as CSV"):
        cursor_of(table_shape(Long), [Order("a", False)], ("x" * 2_300,))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("a", "zero \0 character"),
        ("real", inf),
        ("real", -inf),
        ("price", Decimal(10) ** 150),
        ("price", Decimal("-1e-999")),
    ],
)
def test_a_cursor_holds_whatever_a_row_can(column: str, value: object) -> None:
    orders = [Order(column, False), Order("b", True)]
    assert back(T, orders, (value, 1)) == (value, 1)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e9", "1_0", " 1", ""])
def test_a_decimal_that_no_row_holds_is_no_place(text: str) -> None:
    orders = [Order("price", False), Order("b", False)]
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(cursor_of(T, orders, (text, 1)), T, orders)


def test_a_key_is_never_read_again_by_itself() -> None:
    forged = cursor_of(T, ORDERS, ("x" * 5_000, 1))
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(forged, table_shape(Long), [Order("a", False), Order("b", True)])


@given(st.text(max_size=200) | st.text(st.sampled_from("ABCabc012_-=W+/"), max_size=200))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(text, T, ORDERS)


@pytest.mark.parametrize(
    ("row", "orders"),
    [(Other, ORDERS), (Named, ORDERS[::-1]), (Named, [Order("a", True), ORDERS[1]]), (Whole, ORDERS)],
)
def test_a_cursor_of_another_place_is_refused(row: type[Row], orders: list[Order]) -> None:
    cursor = cursor_of(T, ORDERS, (None, 1))
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(cursor, table_shape(row), orders)


@given(st.lists(st.tuples(TEXTS, st.none() | st.integers()), max_size=5))
def test_csv_is_read_back_by_any_reader(rows: list[tuple[str, int | None]]) -> None:
    writer = CsvWriter([ResultColumn("a,b", "text"), ResultColumn("n", "integer")])
    text = (writer.begin() + writer.rows(rows) + writer.end()).decode()
    head, *read = csv.reader(io.StringIO(text, newline=""))
    assert head == ["a,b", "n"]
    assert read == [[a, "" if n is None else str(n)] for a, n in rows]


def test_csv_tells_null_from_an_empty_text() -> None:
    assert CsvWriter([ResultColumn("a", "text")]).rows([("",), (None,)]) == b'""\r\n\r\n'


def test_kinds_that_a_database_does_not_say_are_those_of_all_values() -> None:
    columns = [ResultColumn(name, None) for name in "abcde"]
    rows = [(1, 1, "x", b"x", None), (2, 0.5, 1, None, None)]
    known, read = inferred(columns, rows)
    assert [column.kind for column in known] == ["integer", "real", "text", "bytes", "text"]
    assert read == [(1, 1.0, "x", b"x", None), (2, 0.5, "1", None, None)]
    assert msgspec.json.decode(NdjsonWriter(known).rows(read[:1])) == {
        "a": 1,
        "b": 1.0,
        "c": "x",
        "d": "eA==",
        "e": None,
    }
