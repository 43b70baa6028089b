"""What a projection says about rows: put, update, increment, remove. The projector coalesces and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from shardlog.errors import DomainError
from shardlog.model.messages import Row
from shardlog.model.names import closest
from shardlog.model.rows import RowLayout, row_layout

RETURN_CHANGES = "return put, update, increment, remove, or a sequence of them"


class Add(msgspec.Struct, frozen=True):
    """In an update: add to the column, instead of setting it."""

    amount: int


class Put(msgspec.Struct, frozen=True, gc=False):
    """Insert the row, or replace the one with its key."""

    row: Row


class Update(msgspec.Struct, frozen=True, gc=False):
    """Change columns of the row with this key. Values are literals or Add."""

    row_type: type[Row]
    key: tuple[object, ...]
    values: Mapping[str, object]


class Increment(msgspec.Struct, frozen=True, gc=False):
    """Add to columns of the row with this key; a missing row counts as one of defaults."""

    row_type: type[Row]
    key: tuple[object, ...]
    values: Mapping[str, int]


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Delete the row with this key."""

    row_type: type[Row]
    key: tuple[object, ...]


Change: TypeAlias = Put | Update | Increment | Remove
Changes: TypeAlias = Change | Sequence[Change] | None
"""What a projection's handler returns: a change, several in order, or nothing."""


def put(row: Row) -> Put:
    """Insert the row, or replace the one with its key."""
    return Put(row)


def add(amount: int) -> Add:
    """In `update`: add to the column; the adds of one batch become one statement."""
    return Add(amount)


def update(row_type: type[Row], /, *key: object, **values: object) -> Update:
    """Change columns of the row with this key; no row, no change. Values are literals or `add(n)`.

    Raises DomainError for a column that the row type does not have, or a key of another length.

    >>> from shardlog import Key, Row, add, update
    >>> class Balance(Row, name="balances"):
    ...     account: Key[str]
    ...     balance: int = 0
    >>> update(Balance, "acme:a", balance=add(5)).values
    {'balance': Add(amount=5)}
    >>> update(Balance, "acme:a", balanse=0)
    Traceback (most recent call last):
    shardlog.errors.DomainError: Balance has no column 'balanse' to update; did you mean 'balance'?
    """
    layout = row_layout(row_type)
    if len(key) != len(layout.key):
        _refuse_key(row_type, layout, key)
    if not values.keys() <= layout.values:
        _refuse_column(row_type, layout, values, "update")
    return Update(row_type, key, values)


def increment(row_type: type[Row], /, *key: object, **columns: int) -> Increment:
    """Add to int columns of the row with this key, inserting it from the columns' defaults where it is missing.

    A row that is only ever incremented may be written by events of any shard: sums come out the same in any order.
    Raises DomainError where a column is no int, or a column besides the key has no default.

    >>> from shardlog import Key, Row, increment
    >>> class Traffic(Row, name="traffic"):
    ...     carrier: Key[str]
    ...     month: Key[int]
    ...     flights: int = 0
    >>> increment(Traffic, "UA", 7, flights=1).key
    ('UA', 7)
    """
    layout = row_layout(row_type)
    if len(key) != len(layout.key):
        _refuse_key(row_type, layout, key)
    counters = layout.counters
    for name, amount in columns.items():
        if name not in counters or type(amount) is not int:
            _refuse_increment(row_type, layout, columns)
    if layout.lacking:
        _refuse_increment(row_type, layout, columns)
    return Increment(row_type, key, columns)


def remove(row_type: type[Row], /, *key: object) -> Remove:
    """Delete the row with this key; no row, no change. Raises DomainError for a key of another length."""
    layout = row_layout(row_type)
    if len(key) != len(layout.key):
        _refuse_key(row_type, layout, key)
    return Remove(row_type, key)


def as_changes(changes: Changes) -> Sequence[Change]:
    """What a handler returned, as a sequence. Raises DomainError for what is no change, or has one among it."""
    if changes is None:
        return ()
    listed = (changes,) if isinstance(changes, Put | Update | Increment | Remove) else changes
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise DomainError(f"{listed!r} is no change: {RETURN_CHANGES}")
    for change in listed:
        if not isinstance(change, Put | Update | Increment | Remove):
            raise DomainError(f"{change!r} is no change: {RETURN_CHANGES}")
    return listed


def _refuse_increment(row_type: type[Row], layout: RowLayout, columns: Mapping[str, object]) -> None:
    _refuse_column(row_type, layout, columns, "increment")
    if layout.lacking:
        lacking = ", ".join(sorted(layout.lacking))
        raise DomainError(
            f"{row_type.__name__} cannot be incremented: column(s) {lacking} have no default, and a missing row is "
            "inserted from the defaults. Give them one, or use put."
        )
    for name, amount in columns.items():
        if type(amount) is not int:
            raise DomainError(f"increment of {row_type.__name__}.{name} by {amount!r}: an increment is an int")


def _refuse_key(row_type: type[Row], layout: RowLayout, key: tuple[object, ...]) -> None:
    raise DomainError(f"{row_type.__name__} has the key ({', '.join(layout.key)}), and got {len(key)} value(s): {key}")


def _refuse_column(row_type: type[Row], layout: RowLayout, named: Mapping[str, object], verb: str) -> None:
    allowed = layout.counters if verb == "increment" else layout.values
    for name in named:
        if name in layout.key:
            raise DomainError(f"{row_type.__name__}.{name} is of the key, which names a row and cannot be changed")
        if name not in layout.values:
            raise DomainError(f"{row_type.__name__} has no column {name!r} to {verb}{closest(name, sorted(allowed))}")
        if name not in allowed:
            raise DomainError(
                f"{row_type.__name__}.{name} is no int, and only int columns can be incremented: "
                "count in an int column with a default, or use put or update"
            )
