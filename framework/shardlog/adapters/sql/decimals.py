"""Decimals in SQLite, which has no such type: texts with all their digits, compared and added as numbers."""

from __future__ import annotations

import sqlite3
from decimal import Decimal, InvalidOperation
from typing import Any

from shardlog.adapters.sql.values import decimal_text
from shardlog.ports.rows import exact_sum

DECIMAL_COLLATION = "rtrim"
"""Columns of decimals are declared with it, and connections of ours compare numbers by it: so ORDER BY, <, =, MIN and
GROUP BY see numbers. It is one of SQLite's own, so that every program can read them, and sorts them as texts."""
DECIMAL_ADD = "shardlog_decimal_add"
"""A function: exact sums."""


def teach_decimals(connection: sqlite3.Connection) -> None:
    """Let a connection compare decimals as numbers, and add them up exactly.

    Texts of other columns that are compared `COLLATE RTRIM` are compared in this way, too.
    """
    connection.create_collation(DECIMAL_COLLATION, compare_decimals)
    connection.create_function(DECIMAL_ADD, 2, _add, deterministic=True)


def compare_decimals(one: str, other: str) -> int:
    """Below 0, 0 or above 0, as the first number is smaller, equal or larger. Texts that are no numbers come behind.

    Total, also over what no row holds: SQLite takes an exception for "equal".
    """
    if one == other:
        return 0
    a, b = _number(one), _number(other)
    if a is not None and b is not None:
        return (a > b) - (a < b)
    if a is None and b is None:
        return 1 if one > other else -1
    return 1 if a is None else -1


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _add(stored: Any, amount: Any) -> str:
    return decimal_text(exact_sum(Decimal(stored), Decimal(amount)))
