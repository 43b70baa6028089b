"""Coalesced changes have the result of the same changes one by one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardlog import Key, Row
from shardlog.errors import DomainError
from shardlog.model.changes import Add, Change, Increment, Put, Remove, Update, add, increment, put, remove, update
from shardlog.ports.projections import TableChanges
from shardlog.projector.coalesce import TableCoalescer


class Counter(Row, name="counters"):
    kind: Key[str]
    number: Key[int]
    n: int = 0
    m: int = 7
    label: str = "none"
    amount: Decimal = Decimal("0.0")


class Tally(Row, name="tallies"):
    """As Counter, and all that can be added to are integers."""

    kind: Key[str]
    number: Key[int]
    n: int = 0
    m: int = 7
    label: str = "none"


class Strict(Row, name="strict"):
    kind: Key[str]
    n: int


Table = dict[tuple[object, ...], dict[str, object]]


def one_by_one(table: Table, changes: list[Change]) -> None:
    """What the changes mean, as plainly as it can be said."""
    for change in changes:
        match change:
            case Put(row):
                assert isinstance(row, Counter | Tally)
                table[row.kind, row.number] = msgspec.structs.asdict(row)
            case Remove(_, key):
                table.pop(key, None)
            case Increment(row_type, key, values):
                defaults = row_type(**dict(zip(("kind", "number"), key, strict=True)))
                columns = table.setdefault(key, msgspec.structs.asdict(defaults))
                for name, value in values.items():
                    columns[name] += value  # type: ignore[operator]  # columns of numbers
            case Update(_, key, values):
                if key in table:
                    for name, value in values.items():
                        table[key][name] = table[key][name] + value.amount if isinstance(value, Add) else value  # type: ignore[operator]  # as above


def coalesced(changes: list[Change], row_type: type[Row] = Counter) -> TableChanges:
    table = TableCoalescer(row_type)
    for change in changes:
        match change:
            case Put(row):
                table.put(row)
            case Remove(_, key):
                table.remove(key)
            case Increment(_, key, values):
                table.increment(key, values)
            case Update(_, key, values):
                table.update(key, values)
    return table.changes()


def applied(table: Table, changes: TableChanges) -> None:
    """What a store does with coalesced changes."""
    names = changes.row.__struct_fields__
    for row in changes.puts:
        table[row[:2]] = dict(zip(names, row, strict=True))
    for key in changes.removes:
        table.pop(key, None)
    for columns, rows in changes.increments.items():
        for values in rows:
            whole, rest = values[: len(names)], values[len(names) :]
            if whole[:2] in table:
                _change(table[whole[:2]], columns.adds, columns.sets, rest)
            else:
                table[whole[:2]] = dict(zip(names, whole, strict=True))
    for columns, rows in changes.updates.items():
        for values in rows:
            if values[-2:] in table:
                _change(table[values[-2:]], columns.adds, columns.sets, values[:-2])


def _change(row: dict[str, object], adds: tuple[str, ...], sets: tuple[str, ...], values: tuple[object, ...]) -> None:
    for name, value in zip(adds, values[: len(adds)], strict=True):
        row[name] += value  # type: ignore[operator]  # columns of numbers
    row.update(zip(sets, values[len(adds) :], strict=True))


keys = st.tuples(st.sampled_from("ab"), st.integers(0, 1))
numbers = st.integers(-9, 9)
decimals = st.decimals(-99, 99, places=2)
columns_to_set: dict[str, st.SearchStrategy[object]] = {
    "n": numbers | numbers.map(add),
    "m": numbers | numbers.map(add),
    "label": st.sampled_from(["x", "y"]),
    "amount": decimals | decimals.map(Add),  # type: ignore[arg-type]  # Add holds ints and Decimals alike
}


def changes_of(row_type: type[Row]) -> st.SearchStrategy[Change]:
    """Any change of a row class that has the columns of Counter, or some of them."""
    columns = {name: values for name, values in columns_to_set.items() if name in row_type.__struct_fields__}
    whole = {"n": numbers, "label": st.sampled_from("pq"), "amount": decimals}
    rows = st.fixed_dictionaries({name: values for name, values in whole.items() if name in columns})
    return st.one_of(
        st.builds(lambda k, values: put(row_type(**{"kind": k[0], "number": k[1], **values})), keys, rows),
        st.builds(lambda k: remove(row_type, *k), keys),
        st.builds(lambda k, values: update(row_type, *k, **values), keys, st.fixed_dictionaries({}, optional=columns)),
        st.builds(
            lambda k, values: increment(row_type, *k, **values),
            keys,
            st.fixed_dictionaries({}, optional={"n": numbers, "m": numbers}),
        ),
    )


any_change = changes_of(Counter)


@pytest.mark.parametrize("row_type", [Counter, Tally])
@settings(deadline=None)
@given(data=st.data())
def test_a_batch_of_any_changes_has_the_result_of_one_by_one(row_type: type[Row], data: st.DataObject) -> None:
    before = data.draw(st.lists(changes_of(row_type), max_size=20))
    batch = data.draw(st.lists(changes_of(row_type), max_size=30))
    expected: Table = {}
    one_by_one(expected, before)
    table = {key: dict(row) for key, row in expected.items()}
    one_by_one(expected, batch)
    changes = coalesced(batch, row_type)
    applied(table, changes)
    assert table == expected


@given(st.lists(any_change, max_size=30))
def test_no_row_has_two_changes_and_each_group_is_in_the_order_of_keys(batch: list[Change]) -> None:
    changes = coalesced(batch)
    groups = [[row[:2] for row in changes.puts], list(changes.removes)]
    groups += [[row[:2] for row in rows] for rows in changes.increments.values()]
    groups += [[row[-2:] for row in rows] for rows in changes.updates.values()]
    everything = [key for group in groups for key in group]
    assert len(everything) == len(set(everything))
    assert all(group == sorted(group) for group in groups)


def test_increments_of_one_row_become_one_and_carry_the_row_to_insert() -> None:
    changes = coalesced([increment(Counter, "a", 1, n=2, m=1), increment(Counter, "a", 1, n=3)])
    ((columns, rows),) = changes.increments.items()
    assert (columns.adds, columns.sets) == (("m", "n"), ())
    assert list(rows) == [("a", 1, 5, 8, "none", Decimal("0.0"), 1, 5)]


def test_sums_of_decimals_are_exact_beyond_the_digits_of_the_usual_context() -> None:
    large, small = Decimal("1" + "0" * 40), Decimal("0.0000000001")
    table = TableCoalescer(Counter)
    table.increment(("a", 1), {"amount": large})
    table.increment(("a", 1), {"amount": small})
    ((_, rows),) = table.changes().increments.items()
    assert rows[0][-1] == Decimal("1" + "0" * 40 + ".0000000001")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Increment(Counter, ("a", 1), {"label": 1}), "Counter.label cannot be added to"),
        (Increment(Counter, ("a", 1), {"nope": 1}), "Counter has no column 'nope' to change"),
        (Increment(Tally, ("a", 1), {"n": 0.5}), r"0\.5 is added to Tally\.n, and must be of type int"),  # type: ignore[dict-item]  # the mistake
        (Update(Counter, ("a", 1), {"kind": "b"}), "Counter has no column 'kind' to change"),
        (Update(Counter, ("a", 1), {"label": add(1)}), "Counter.label cannot be added to"),
        (Remove(Counter, ("a",)), r"Counter has the key \(kind: str, number: int\)"),
    ],
)
def test_a_change_that_does_not_fit_the_row_class_is_refused_by_name(change: Change, said: str) -> None:
    row_type = type(change.row) if isinstance(change, Put) else change.row_type
    with pytest.raises(DomainError, match=said):
        coalesced([change], row_type)


@pytest.mark.parametrize("amount", [0.5, Decimal(1)])
def test_an_amount_of_another_type_is_refused_behind_amounts_that_fit(amount: float | Decimal) -> None:
    table = TableCoalescer(Tally)
    table.increment(("a", 1), {"n": 1})
    table.increment(("a", 1), {"n": amount})  # type: ignore[dict-item]  # the mistake
    with pytest.raises(DomainError, match=r"is added to Tally\.n, and must be of type int"):
        table.changes()


def test_incrementing_a_row_without_defaults_is_refused() -> None:
    table = TableCoalescer(Strict)
    table.increment(("a",), {"n": 1})
    with pytest.raises(DomainError, match=r"Strict\.n has no default"):
        table.changes()


@pytest.mark.parametrize("row_type", [Counter, Tally])
def test_amounts_that_are_given_for_two_rows_are_counted_for_each_alone(row_type: type[Row]) -> None:
    given_twice, table = {"n": 1}, TableCoalescer(row_type)
    table.increment(("a", 1), given_twice)
    table.increment(("a", 2), given_twice)
    table.increment(("a", 1), {"n": 5})
    ((_, rows),) = table.changes().increments.items()
    assert [row[-1] for row in rows] == [6, 1]
