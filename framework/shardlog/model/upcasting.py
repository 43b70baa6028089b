"""From an event as the journal holds it to the events that today's code knows: the one place where that happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shardlog.model.aggregate import Aggregate
from shardlog.model.messages import Event


def upcast(aggregate: Aggregate[Any, Any, Any], event: Event) -> tuple[Event, ...]:
    """The event as evolve, projections and process managers see it: dropped, changed or split, through any chain.

    What a split makes of one event shares its recorded position.
    """
    upcaster = aggregate.upcasters.get(type(event))
    if upcaster is None:
        return (event,)
    return tuple(newest for newer in as_events(upcaster(event)) for newest in upcast(aggregate, newer))


def as_events(returned: Event | Sequence[Event] | None) -> tuple[Event, ...]:
    """What a decision or an upcaster returned, as a tuple."""
    if returned is None:
        return ()
    return (returned,) if isinstance(returned, Event) else tuple(returned)
