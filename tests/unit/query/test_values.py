"""Values of every kind come back from their texts as they were; what is none is refused, and no text is a trap."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardlog.ports.reading import OPERATORS, Order, ResultColumn
from shardlog.ports.rows import Kind
from shardlog.query.cursors import cursor_of, place_of
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


ORDERS = [Order("a", False), Order("b", True)]
KINDS: dict[str, Kind] = {"a": "text", "b": "integer"}


@given(st.none() | TEXTS, st.integers(INTEGER_MIN, INTEGER_MAX))
def test_a_cursor_comes_back(a: str | None, b: int) -> None:
    cursor = cursor_of("t", ORDERS, (a, b))
    assert place_of(cursor, "t", ORDERS, KINDS, frozenset({"a"})) == (a, b)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "a" * 10_000),
        ("text", "zero \0 character"),
        ("enum", "b" * 4_001),
        ("real", inf),
        ("real", -inf),
        ("decimal", Decimal(10) ** 150),
        ("decimal", Decimal("-1e-999")),
    ],
)
def test_a_cursor_holds_whatever_a_row_can(kind: Kind, value: object) -> None:
    orders = [Order("a", False)]
    assert place_of(cursor_of("t", orders, (value,)), "t", orders, {"a": kind}, frozenset()) == (value,)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e9", "1_0", " 1", ""])
def test_a_decimal_that_no_row_holds_is_no_place(text: str) -> None:
    orders = [Order("a", False)]
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(cursor_of("t", orders, (text,)), "t", orders, {"a": "decimal"}, frozenset())


def test_a_page_whose_end_fits_into_no_cursor_names_the_column() -> None:
    with pytest.raises(RequestRefused, match="whose a has 20000 characters, too many for a cursor of 20000"):
        cursor_of("t", ORDERS, ("a" * 20_000, 1))


@given(st.text(max_size=200) | st.text(st.sampled_from("ABCabc012_-=W+/"), max_size=200))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(text, "t", ORDERS, KINDS, frozenset())


@pytest.mark.parametrize(
    ("table", "orders", "nullable"),
    [
        ("u", ORDERS, {"a"}),
        ("t", ORDERS[::-1], {"a"}),
        ("t", [Order("a", True), ORDERS[1]], {"a"}),
        ("t", ORDERS, set()),
    ],
)
def test_a_cursor_of_another_place_is_refused(table: str, orders: list[Order], nullable: Iterable[str]) -> None:
    cursor = cursor_of("t", ORDERS, (None, 1))
    with pytest.raises(RequestRefused, match="invalid_cursor"):
        place_of(cursor, table, orders, KINDS, frozenset(nullable))


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
