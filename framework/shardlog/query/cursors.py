"""Cursors: where a page ended, as a text that clients send back.

A cursor holds the values of the sort columns in the last row, and nothing that is believed: they are read by the kinds
of their columns like any other parameter. A forged one begins elsewhere in the same rows.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

import msgspec

from shardlog.ports.reading import Order
from shardlog.ports.rows import Kind
from shardlog.query.problems import RequestRefused, invalid
from shardlog.query.values import parsed, text_of

FORM = 1
CHARACTERS_MAX = 20_000


class _Place(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    form: int
    order: str
    values: tuple[str | None, ...]


_decode = msgspec.json.Decoder(_Place).decode
_is_decimal = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


def _decimal(text: str) -> Decimal:
    if not _is_decimal(text):
        raise ValueError
    return Decimal(text)


_HELD: Mapping[Kind, Callable[[str], object]] = {"text": str, "enum": str, "real": float, "decimal": _decimal}
"""Rows hold more than may be asked for: long texts, infinities, numbers of hundreds of digits."""


def cursor_of(table: str, orders: Sequence[Order], values: Sequence[object]) -> str:
    """The cursor behind a row. values: of the orders' columns. Raises RequestRefused where they are too long."""
    texts = tuple(None if value is None else text_of(value) for value in values)
    cursor = base64.urlsafe_b64encode(msgspec.json.encode(_Place(FORM, _order_id(table, orders), texts)))
    if len(cursor) > CHARACTERS_MAX:
        longest, name = max((len(text or ""), order.column) for text, order in zip(texts, orders, strict=True))
        raise invalid(
            f"this page ends with a row whose {name} has {longest} characters, too many for a cursor of "
            f"{CHARACTERS_MAX}: sort by another column, or ask for all rows at once, by a higher limit or as CSV or "
            "NDJSON"
        )
    return cursor.decode().rstrip("=")


def place_of(
    cursor: str, table: str, orders: Sequence[Order], kinds: Mapping[str, Kind], nullable: frozenset[str]
) -> tuple[object, ...]:
    """The values that a cursor holds. Raises RequestRefused for one of another table or order, or that is none."""
    try:
        if len(cursor) > CHARACTERS_MAX:
            raise ValueError
        place = _decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if place.form != FORM or place.order != _order_id(table, orders) or len(place.values) != len(orders):
            raise ValueError
        return tuple(
            _value(text, kinds[order.column], order.column in nullable)
            for text, order in zip(place.values, orders, strict=True)
        )
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise RequestRefused(
            400,
            "invalid_cursor",
            "the cursor is none of this table and this order: send it back as it came, with the same sort",
        ) from None


def _value(text: str | None, kind: Kind, may_be_null: bool) -> object:
    if text is None:
        if not may_be_null:
            raise ValueError
        return None
    held = _HELD.get(kind)
    return parsed(kind, text) if held is None else held(text)


def _order_id(table: str, orders: Sequence[Order]) -> str:
    """So that a cursor of another order is noticed; it keeps nobody from making one."""
    return blake2b(msgspec.json.encode((table, orders)), digest_size=6).hexdigest()
