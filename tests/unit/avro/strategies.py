"""Random messages: any value that a message can hold, up to the ends of its types."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from shardlog import Personal
from shardlog.codec.types import bare, without_none

Values = st.SearchStrategy[Any]
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(hours=14))])
FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30)
SIMPLE: dict[type[inspect.Type], Values] = {
    inspect.NoneType: st.none(),
    inspect.BoolType: st.booleans(),
    inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    inspect.BytesType: st.binary(max_size=5),
    inspect.DecimalType: st.decimals(allow_nan=False, allow_infinity=False) | st.just(Decimal("1E+3")),
    inspect.DateTimeType: st.datetimes(FIRST, LAST, timezones=ZONES),
    inspect.DateType: st.dates(),
    inspect.TimeType: st.times() | st.builds(time, st.integers(0, 23), tzinfo=st.just(UTC)),
    inspect.TimeDeltaType: st.timedeltas(timedelta(days=-9), timedelta(days=9)),
    inspect.UUIDType: st.uuids(),
}


@cache
def values_of(message: type[msgspec.Struct]) -> Values:
    """Random values of a message type."""
    return _values(inspect.type_info(message), ())


def _values(info: inspect.Type, above: tuple[Any, ...]) -> Values:
    simple = SIMPLE.get(type(info))
    if simple is not None:
        return simple
    match info:
        case inspect.IntType():
            low = info.ge if info.ge is not None else -(2**63) if info.gt is None else info.gt + 1
            return st.integers(low, 2**63 - 1 if info.le is None else info.le)
        case inspect.StrType():
            if info.pattern is not None:
                return st.sampled_from(["a", "acme:ada", "l-1:b.2"])  # every pattern here is that of ids
            return st.text(st.characters(codec="utf-8"), min_size=info.min_length or 0, max_size=info.max_length or 4)
        case inspect.EnumType():
            return st.sampled_from(list(info.cls))
        case inspect.LiteralType():
            return st.sampled_from(list(info.values))
        case inspect.Metadata():
            return _values(info.type, above)
        case inspect.UnionType():
            return st.one_of([_values(member, above) for member in info.types if not _is_deep(member, above)])
        case _:
            return _composed(info, above)


def _field(field: inspect.Field, hint: Any, above: tuple[Any, ...]) -> Values:
    annotation, is_optional = without_none(hint)
    if bare(annotation) is not Personal:
        return _values(field.type, above)
    inner = _values(inspect.type_info(get_args(annotation)[0]), above)
    persons = (st.none() | inner).map(Personal)
    return st.none() | persons if is_optional else persons


def _composed(info: inspect.Type, above: tuple[Any, ...]) -> Values:
    match info:
        case inspect.TupleType():
            return st.tuples(*(_values(item, above) for item in info.item_types))
        case inspect.VarTupleType():
            if _is_deep(info.item_type, above):
                return st.just(())
            return st.lists(_values(info.item_type, above), max_size=2).map(tuple)
        case inspect.FrozenSetType():
            return st.frozensets(_values(info.item_type, above), max_size=3)
        case inspect.DictType():
            return st.dictionaries(_values(info.key_type, above), _values(info.value_type, above), max_size=2)
        case inspect.StructType() | inspect.NamedTupleType():
            inside = (*above, info.cls)
            hints = get_type_hints(getattr(info.cls, "__origin__", info.cls), include_extras=True)
            return st.builds(
                info.cls, **{field.name: _field(field, hints[field.name], inside) for field in info.fields}
            )
    raise NotImplementedError(info)


def _is_deep(info: inspect.Type, above: tuple[Any, ...]) -> bool:
    """Whether it would be a struct within itself, within itself: values are to stay small."""
    return isinstance(info, inspect.StructType) and above.count(info.cls) >= 2
