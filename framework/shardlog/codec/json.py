"""JSON by msgspec: how messages, states and rows become bytes and come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from shardlog.codec.personal import Personal, content

T = TypeVar("T")

NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not as they should be; the last two for no UTF-8, and for nesting too
deep."""
_VALUE = "$personal"
_ERASED = "$erased"


def encode_state(value: object) -> bytes:
    """JSON that keeps the order in which mappings were filled: a snapshot gives back the state it was made of."""
    return _in_order.encode(value)


def decoder(type: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a type, made once. Its `decode` raises msgspec.ValidationError or msgspec.DecodeError."""
    found = _decoders.get(type)
    if found is None:
        found = _decoders[type] = msgspec.json.Decoder(type, dec_hook=decode_hook)
    return cast("msgspec.json.Decoder[T]", found)


def encode_hook(value: object) -> object:
    """What JSON holds for a value that msgspec does not know: the `enc_hook` of every encoder here."""
    if isinstance(value, Personal):
        inner = content(value)
        return {_ERASED: True} if inner is None else {_VALUE: inner}
    raise NotImplementedError(f"a {type(value).__name__} has no JSON form")


def decode_hook(target: type, value: object) -> object:
    """The reverse: the `dec_hook` of every decoder here. A client may send the bare value of a Personal field."""
    if (get_origin(target) or target) is not Personal:
        raise NotImplementedError(f"a {target} cannot be read from JSON")
    if isinstance(value, dict) and _ERASED in value:
        return Personal[object](None)
    raw = value[_VALUE] if isinstance(value, dict) and _VALUE in value else value
    inner = get_args(target)
    if not inner:
        return Personal[object](raw)
    return Personal[object](msgspec.convert(raw, inner[0], str_keys=True, dec_hook=decode_hook))


_decoders: dict[object, msgspec.json.Decoder[Any]] = {}
_deterministic = msgspec.json.Encoder(enc_hook=encode_hook, order="deterministic")
_in_order = msgspec.json.Encoder(enc_hook=encode_hook)
_sorted = msgspec.json.Encoder(enc_hook=encode_hook, order="sorted")

encode: Callable[[object], bytes] = _deterministic.encode
"""JSON with sorted mappings and sets: equal values give equal bytes, whatever the hash seed."""
encode_sorted: Callable[[object], bytes] = _sorted.encode
"""JSON whose every object has its keys sorted, structs too: what digests of state are made of."""
