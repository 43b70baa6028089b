"""Cursors: where a page ended, as a text that clients send back.

A cursor holds the values of the sort columns in the last row, and nothing that is believed: they are read by the kinds
of their columns like any other parameter. A forged one begins elsewhere in the same rows.

It goes into headers, so it is never long: of a value that has no room there it holds a digest, and the value is read
again from its row, by the key.
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
from shardlog.ports.rows import Column, Kind, TableShape
from shardlog.query.problems import RequestRefused, invalid
from shardlog.query.values import parsed, text_of

FORM = 2
CHARACTERS_MAX = 3_000
"""Two headers hold one, and many servers and clients take 8 KiB of headers."""
VALUE_BYTES_MAX = 200
"""Of a sort column that is none of the key; a longer value has no room."""


class Unheld(msgspec.Struct, frozen=True, array_like=True):
    """A value that a cursor had no room for. digest: of its text."""

    digest: str


class _Place(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    form: int
    order: str
    values: tuple[str | Unheld | None, ...]


_decode = msgspec.json.Decoder(_Place).decode
_is_decimal = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


def _decimal(text: str) -> Decimal:
    if not _is_decimal(text):
        raise ValueError
    return Decimal(text)


_HELD: Mapping[Kind, Callable[[str], object]] = {"text": str, "enum": str, "real": float, "decimal": _decimal}
"""Rows hold more than may be asked for: zero characters, infinities, numbers of hundreds of digits."""


def cursor_of(shape: TableShape, orders: Sequence[Order], values: Sequence[object]) -> str:
    """The cursor behind a row. values: of the orders' columns, which the key's are among.

    Raises RequestRefused where the key alone is too long for one.
    """
    held = [None if value is None else text_of(value) for value in values]
    kept: list[str | Unheld | None] = [
        text if text is None or order.column in shape.keys or _has_room(text) else unheld(text)
        for text, order in zip(held, orders, strict=True)
    ]
    cursor = _written(shape.name, orders, kept)
    if len(cursor) > CHARACTERS_MAX:  # of many columns: all that can be read again
        pairs = zip(held, kept, orders, strict=True)
        kept = [one if text is None or o.column in shape.keys else unheld(text) for text, one, o in pairs]
        cursor = _written(shape.name, orders, kept)
    if len(cursor) > CHARACTERS_MAX:
        raise invalid(
            f"the page ends with a row whose key ({', '.join(shape.keys)}) is too long for a cursor of "
            f"{CHARACTERS_MAX} characters: ask for another limit, or for all rows at once, as CSV or NDJSON"
        )
    return cursor


def unheld(text: str) -> Unheld:
    """What stands for a long text."""
    return Unheld(blake2b(text.encode(), digest_size=16).hexdigest())


def filled(place: Sequence[object], orders: Sequence[Order], row: Sequence[object] | None) -> tuple[object, ...]:
    """A place with the values that its cursor had no room for. row: these values in their order, as they are now.

    Raises RequestRefused where they are not what they were.
    """
    now = iter(row or ())
    values: list[object] = []
    for value, order in zip(place, orders, strict=True):
        if isinstance(value, Unheld):
            found = next(now, None)
            if found is None or unheld(text_of(found)) != value:
                raise RequestRefused(
                    400,
                    "invalid_cursor",
                    f"the row that the page ended with has changed since, or is gone, and its {order.column} was too "
                    "long for a cursor to hold: begin again without a cursor, or sort by another column",
                )
            values.append(found)
        else:
            values.append(value)
    return tuple(values)


def _written(table: str, orders: Sequence[Order], values: Sequence[str | Unheld | None]) -> str:
    place = _Place(FORM, _order_id(table, orders), tuple(values))
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _has_room(text: str) -> bool:
    return len(text) <= VALUE_BYTES_MAX and len(text.encode()) <= VALUE_BYTES_MAX


def place_of(cursor: str, shape: TableShape, orders: Sequence[Order]) -> tuple[object, ...]:
    """The values that a cursor holds, and Unheld for others, which `filled` puts in.

    Raises RequestRefused for a cursor of another table or order, and for a text that is none.
    """
    columns = {column.name: column for column in shape.columns}
    try:
        if len(cursor) > CHARACTERS_MAX:
            raise ValueError
        place = _decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if place.form != FORM or place.order != _order_id(shape.name, orders) or len(place.values) != len(orders):
            raise ValueError
        return tuple(_value(text, columns[order.column]) for text, order in zip(place.values, orders, strict=True))
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise RequestRefused(
            400,
            "invalid_cursor",
            "the cursor is none of this table and this order: send it back as it came, with the same sort",
        ) from None


def _value(text: str | Unheld | None, column: Column) -> object:
    if isinstance(text, Unheld):
        if column.is_key:
            raise ValueError
        return text
    if text is None:
        if not column.nullable:
            raise ValueError
        return None
    held = _HELD.get(column.kind)
    return parsed(column.kind, text) if held is None else held(text)


def _order_id(table: str, orders: Sequence[Order]) -> str:
    """So that a cursor of another order is noticed; it keeps nobody from making one."""
    return blake2b(msgspec.json.encode((table, orders)), digest_size=6).hexdigest()
