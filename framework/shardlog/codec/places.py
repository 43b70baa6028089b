"""Where in a JSON document something is wrong: the value at the place that a validation error names."""

from __future__ import annotations

import re

import msgspec

VALUE_CHARACTERS_MAX = 80
"""How much of a value an error shows."""

_place = re.compile(r" - at `\$((?:\.\w+|\[\d+\])+)`\Z").search
_steps = re.compile(r"\.(\w+)|\[(\d+)\]").findall


def with_value(error: msgspec.ValidationError, data: bytes) -> str:
    """The error's text and the value that it speaks of, which stands in `data`, cut off at 80 characters.

    The text alone where it names no single value. What was sent is shown as it is: not for values about persons.

    >>> import msgspec
    >>> from shardlog.codec.places import with_value
    >>> class Deposit(msgspec.Struct):
    ...     amount: int
    >>> data = b'{"amount":"five"}'
    >>> try:
    ...     msgspec.json.decode(data, type=Deposit)
    ... except msgspec.ValidationError as error:
    ...     print(with_value(error, data))
    Expected `int`, got `str` - at `$.amount`: 'five'
    """
    place = _place(str(error))
    if place is None:
        return str(error)
    value = msgspec.json.decode(data)
    for name, index in _steps(place[1]):
        value = value[name or int(index)]
    return f"{error}: {_shown(value)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}... ({len(text)} characters)"
