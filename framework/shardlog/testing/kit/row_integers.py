"""Integers that a projection writes: refused here as a database refuses them; there the event is a dead letter."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import msgspec
from msgspec.inspect import IntType, Metadata, type_info

from shardlog.errors import DomainError
from shardlog.model.changes import Add, Change, Put, Remove
from shardlog.model.integers import why_beyond
from shardlog.model.messages import Row
from shardlog.model.names import where
from shardlog.model.rows import row_columns, row_key, table_name

__tracebackhide__ = True


def check_said(row_type: type[Row], key: tuple[object, ...], change: Change, handler: Callable[..., object]) -> None:
    """Raises DomainError for an integer of more than 64 bits in what a handler said: its key, values and amounts."""
    if isinstance(change, Put):
        _check(row_type, msgspec.structs.asdict(change.row), handler)
        return
    values = {} if isinstance(change, Remove) else change.values
    _check(row_type, {**dict(zip(row_key(row_type), key, strict=True)), **values}, handler)


def check_sums(row: Row, handler: Callable[..., object]) -> None:
    """Raises DomainError where the row that came of it holds an integer of more than 64 bits."""
    _check(type(row), msgspec.structs.asdict(row), handler)


def _check(row_type: type[Row], values: Mapping[str, object], handler: Callable[..., object]) -> None:
    for name in _integer_columns(row_type):
        given = values.get(name)
        value = given.amount if isinstance(given, Add) else given
        why = why_beyond(table_name(row_type), name, value) if isinstance(value, int) else None
        if why is not None:
            raise DomainError(f"{where(handler)}: {why}")


@functools.cache
def _integer_columns(row_type: type[Row]) -> tuple[str, ...]:
    return tuple(column.name for column in row_columns(row_type) if _is_integer(column.type))


def _is_integer(annotation: object) -> bool:
    info = type_info(annotation)
    return isinstance(info.type if isinstance(info, Metadata) else info, IntType)
