"""Ranges of settings: said once, in a field's type, and checked wherever a struct of settings is made.

A field is `Annotated[int, msgspec.Meta(ge=1, le=1_000)]`, a `Literal`, a text or a tuple of texts. The words for what
is allowed are made of the type, so that errors, `shardlog config` and the documentation say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import isfinite
from typing import Annotated, Any, TypeAlias, get_type_hints

import msgspec
from msgspec import inspect

from shardlog.errors import ConfigurationError

Secret: TypeAlias = Annotated[str, msgspec.Meta(extra={"is_secret": True})]
"""A text that is never shown: not in a repr, not by `shardlog config`, not in an error."""


def check_ranges(settings: msgspec.Struct, section: str) -> None:
    """Refuse a value of another type or out of its range; for `__post_init__`. Raises ConfigurationError."""
    for name, hint in field_types(type(settings)).items():
        value = getattr(settings, name)
        if not is_allowed(value, hint):
            shown = "of a wrong type" if is_secret(hint) else repr(value)
            raise ConfigurationError(f"{section} setting {name} is {shown}, and must be {allowed(hint)}")


def is_allowed(value: object, hint: Any) -> bool:
    """Whether a value is of this type and in its range; no number is taken for another kind of number."""
    if isinstance(value, float) and not isfinite(value):
        return False
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def is_secret(hint: Any) -> bool:
    """Whether a value of this type is never shown: `Annotated[str, msgspec.Meta(extra={"is_secret": True})]`."""
    info = inspect.type_info(hint)
    return isinstance(info, inspect.Metadata) and bool((info.extra or {}).get("is_secret"))


@cache
def field_types(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The fields of a struct of settings, with their types and ranges."""
    hints = get_type_hints(struct, include_extras=True)
    return {name: hints[name] for name in struct.__struct_fields__}


def allowed(hint: Any) -> str:
    """What a setting of this type may be, in words that fit behind "must be".

    >>> from typing import Annotated, Literal
    >>> allowed(Annotated[int, msgspec.Meta(ge=1, le=10_000)])
    'an integer, 1 to 10_000'
    >>> allowed(Literal["always", "never"])
    "'always' or 'never'"
    """
    return _words(inspect.type_info(hint))


def unit(name: str, hint: Any) -> str:
    """The unit of a number, which stands last in its name but for min and max: `queue_commands_max` is of commands.

    >>> unit("retry_after_ms", int)
    'ms'
    >>> unit("requests_per_s_max", int)
    'requests/s'
    """
    if not isinstance(_inner(inspect.type_info(hint)), inspect.IntType | inspect.FloatType):
        return ""
    what, per, time = name.removesuffix("_max").rpartition("_per_")
    if per:
        return f"{what.rpartition('_')[2]}/{time}"
    last = name.removesuffix("_max").removesuffix("_min").rpartition("_")[2]
    return last if last.endswith("s") or last == "percent" else ""


def _inner(info: inspect.Type) -> inspect.Type:
    return _inner(info.type) if isinstance(info, inspect.Metadata) else info


def _words(info: inspect.Type) -> str:
    info = _inner(info)
    if isinstance(info, inspect.BoolType):
        return "true or false"
    if isinstance(info, inspect.IntType):
        return f"an integer{_bounds(info)}"
    if isinstance(info, inspect.FloatType):
        return f"a finite number{_bounds(info)}"
    if isinstance(info, inspect.LiteralType):
        *others, last = [repr(value) for value in info.values]
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(info, inspect.VarTupleType):
        what = _inner(info.item_type)
        form = isinstance(what, inspect.StrType) and what.pattern is not None
        return "a list of references, each 'module:name'" if form else "a list of texts"
    return "a text that is not empty" if isinstance(info, inspect.StrType) and info.min_length else "a text"


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f", {info.ge:_} to {info.le:_}"
    if info.ge is not None:
        return f", {info.ge:_} or more"
    if info.gt is not None:
        return f" above {info.gt:_}" + ("" if info.le is None else f", {info.le:_} or less")
    return ""
