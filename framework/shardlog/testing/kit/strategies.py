"""From a message type to random values of it, small ones that meet often."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from shardlog.codec.personal import Personal
from shardlog.codec.types import bare
from shardlog.errors import DomainError
from shardlog.testing.kit.world import START

Values = st.SearchStrategy[Any]
_SPAN = 1_000


def values_of(message: type[msgspec.Struct], ids: Sequence[str]) -> Values:
    """Random values of a message type; its text fields often name one of the ids. Raises DomainError for a type that it
    cannot make up."""
    return _values(inspect.type_info(message), tuple(ids))


def _values(info: inspect.Type, ids: tuple[str, ...]) -> Values:
    simple = _simple(info, ids)
    if simple is not None:
        return simple
    match info:
        case inspect.StructType():
            return st.builds(info.cls, **{field.name: _values(field.type, ids) for field in info.fields})
        case inspect.UnionType():
            return st.one_of([_values(member, ids) for member in info.types])
        case inspect.TupleType():
            return st.tuples(*(_values(item, ids) for item in info.item_types))
        case inspect.VarTupleType():
            return st.lists(_values(info.item_type, ids), max_size=3).map(tuple)
        case inspect.FrozenSetType():
            return st.frozensets(_values(info.item_type, ids), max_size=3)
        case inspect.DictType():
            return st.dictionaries(_values(info.key_type, ids), _values(info.value_type, ids), max_size=3)
        case inspect.CustomType() if bare(info.cls) is Personal:
            inner = get_args(info.cls)
            known = _values(inspect.type_info(inner[0]), ids) if inner else st.just("somebody")
            return st.builds(Personal, known)
        case inspect.Metadata():
            return _values(info.type, ids)
        case _:
            raise DomainError(f"explore cannot make up a {type(info).__name__}: write this test with given and when")


def _simple(info: inspect.Type, ids: tuple[str, ...]) -> Values | None:
    match info:
        case inspect.IntType():
            low = info.ge if info.ge is not None else info.gt + 1 if info.gt is not None else -100
            high = info.le if info.le is not None else info.lt - 1 if info.lt is not None else max(low, 0) + _SPAN
            return st.integers(low, high)
        case inspect.StrType():
            return _texts(info, ids)
        case inspect.FloatType():
            return st.floats(-_SPAN, _SPAN, allow_nan=False)
        case inspect.DecimalType():
            return st.integers(-_SPAN, _SPAN).map(lambda cents: Decimal(cents) / 100)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.BytesType():
            return st.binary(max_size=4)
        case inspect.DateTimeType():
            return st.integers(-100, 100).map(lambda hours: START + timedelta(hours=hours))
        case inspect.DateType():
            return st.dates(date(2025, 12, 25), date(2026, 1, 8))
        case inspect.TimeDeltaType():
            return st.integers(0, 100).map(lambda hours: timedelta(hours=hours))
        case inspect.UUIDType():
            return st.integers(1, 3).map(lambda number: UUID(int=number))
        case inspect.EnumType():
            return st.sampled_from(list(info.cls))
        case inspect.LiteralType():
            return st.sampled_from(list(info.values))
        case _:
            return None


def _texts(info: inspect.StrType, ids: tuple[str, ...]) -> Values:
    """The ids where they fit, and where no pattern is asked for also "x" and nothing, within the lengths allowed."""
    if info.pattern is not None:
        fitting = [text for text in ids if re.search(info.pattern, text)]
        return st.sampled_from(fitting) if fitting else st.from_regex(info.pattern)
    low, high = info.min_length or 0, info.max_length
    return st.sampled_from(list(dict.fromkeys(text.ljust(low, "x")[:high] for text in (*ids, "x", ""))))
