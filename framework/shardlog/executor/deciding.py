"""Running users' functions: decide, then for each event the journal's bytes, and evolve on what these bytes say."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from shardlog.codec.json import encode
from shardlog.errors import DomainError
from shardlog.executor.nesting import is_nested_deeper
from shardlog.executor.registry import Category, EventType
from shardlog.model.messages import Event, State

EventRecord: TypeAlias = tuple[str, str, int, msgspec.Raw]
"""An event as it stands in a frame: tag, stream id, version, bytes."""


def record_event(
    category: Category, id: str, version: int, state: State, event: Event
) -> tuple[EventRecord, Event, EventType, State]:
    """The event's record, the event as read back, its type, and the state after it.

    The event is decoded again from its bytes before evolve sees it, so that live state is what replay will build, and
    nothing is written that cannot be read back. Raises DomainError, msgspec.ValidationError or whatever evolve
    raises.
    """
    type_ = category.events.get(type(event))
    if type_ is None:
        raise DomainError(_unknown(category, event))
    data = encode(event)
    if type_.nesting_max is not None and is_nested_deeper(data, type_.nesting_max):
        raise DomainError(
            f"{type(event).__name__} is nested more than {type_.nesting_max} levels deep (nesting_max): such an event "
            "could not be read back from a frame"
        )
    event = type_.decode(data)
    state = type_.evolve(state, event)
    if type(state) is not category.state_type:
        raise DomainError(
            f"the evolve of {type(event).__name__} returned {type(state).__name__}, and must return the next "
            f"{category.state_type.__name__} (a forgotten `return`?)"
        )
    return (type_.tag, id, version, msgspec.Raw(data)), event, type_, state


def _unknown(category: Category, event: object) -> str:
    if not isinstance(event, Event):
        return f"{event!r} is no event: a decision returns events"
    why = category.aggregate.why_unknown(type(event))
    return f"{type(event).__name__} has no evolve in aggregate {category.name!r}{why}"
