"""What is written must be read back as it was: every message, state and row of a test goes through the codec."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from shardlog.codec.json import decoder, encode, encode_state
from shardlog.errors import DomainError
from shardlog.model.messages import Event, Message, State

__tracebackhide__ = True

M = TypeVar("M", bound=Message)
Ev = TypeVar("Ev", bound=Event)


def round_trip(message: M) -> M:
    """The message as the journal gives it back. Raises DomainError where it does not survive."""
    try:
        written = encode_state(message) if isinstance(message, State) else encode(message)
        back = decoder(type(message)).decode(written)
    except (msgspec.ValidationError, TypeError, NotImplementedError) as error:
        raise DomainError(f"{message!r} does not survive the codec: {error}") from error
    assert back == message, f"the codec changes a {type(message).__name__}:\n  before {message}\n  after  {back}"
    return back


def erased(event: Ev) -> Ev:
    """The event as it is read after the key of its subject was destroyed."""
    return decoder(type(event)).decode(msgspec.json.encode(_erase(msgspec.json.decode(encode(event)))))


def _erase(value: object) -> object:
    if isinstance(value, dict):
        return {"$erased": True} if "$personal" in value else {key: _erase(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_erase(inner) for inner in value]
    return value
