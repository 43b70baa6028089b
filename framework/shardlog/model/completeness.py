"""What an aggregate lacks as a whole: found when it is put into a domain, or tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shardlog.errors import DomainError, check_code
from shardlog.model.messages import Event
from shardlog.model.names import where

if TYPE_CHECKING:
    from shardlog.model.aggregate import Aggregate

Successors = Mapping[type[Event], tuple[type[Event], ...]]


def check_one(
    event: type[Event],
    kind: str,
    first: Callable[..., object] | None,
    second: Callable[..., object],
    category: str,
) -> None:
    """Refuse a second handler of one event. kind: `evolves` or `upcasters`. Raises DomainError."""
    if first is not None:
        raise DomainError(
            f"{event.__name__} has two {kind} in aggregate {category!r}: {where(first)} and {where(second)}. Keep one."
        )


def problems(
    aggregate: Aggregate[Any, Any, Any], produced: Mapping[type[Event], str], successors: Successors
) -> list[str]:
    """All that is wrong, a sentence each.

    produced: the events that decisions and upcasters return, and by which function. successors: what upcasters return.
    """
    return [
        *_without_evolve(aggregate, produced),
        *_upcast_and_evolved(aggregate),
        *_unreadable_versions(aggregate),
        *_circles(successors),
        *_unusable_codes(aggregate),
    ]


def _without_evolve(aggregate: Aggregate[Any, Any, Any], produced: Mapping[type[Event], str]) -> Iterator[str]:
    category, state = aggregate.category, type(aggregate.initial).__name__
    for event, function in produced.items():
        if event not in aggregate.evolutions and event not in aggregate.upcasters:
            yield (
                f"{event.__name__} is returned by {function} but has no evolve in aggregate {category!r}: write "
                f"`@{category}.evolves def ...(state: {state}, event: {event.__name__})`, "
                f"or `{category}.ignores({event.__name__})`."
            )


def _upcast_and_evolved(aggregate: Aggregate[Any, Any, Any]) -> Iterator[str]:
    for event in aggregate.upcasters:
        if event in aggregate.evolutions:
            yield f"{event.__name__} has an upcaster and an evolve: it never reaches the evolve. Remove one."


def _unreadable_versions(aggregate: Aggregate[Any, Any, Any]) -> Iterator[str]:
    newest: dict[str, int] = {}
    for (name, version), event in aggregate.events_by_name.items():
        if event not in aggregate.upcasters:
            newest[name] = max(newest.get(name, 0), version)
    for name, version in newest.items():
        for old in range(1, version):
            if (name, old) not in aggregate.events_by_name:
                yield (
                    f"{name} is at version {version}, and nothing reads version {old}: write an upcaster from a class "
                    f"with `name={name!r}, version={old}`. (A new field with a default needs no new version.)"
                )


def _circles(successors: Successors) -> Iterator[str]:
    for start in successors:
        reached: set[type[Event]] = set()
        ahead = list(successors[start])
        while ahead:
            event = ahead.pop()
            if event not in reached:
                reached.add(event)
                ahead.extend(successors.get(event, ()))
        if start in reached:
            yield f"the upcaster of {start.__name__} leads back to {start.__name__}: it never ends. Break the circle."


def _unusable_codes(aggregate: Aggregate[Any, Any, Any]) -> Iterator[str]:
    for code in aggregate.rejects or ():
        why = check_code(code)
        if why is not None:
            yield f"{type(code).__name__}.{code.name} of aggregate {aggregate.category!r} is {str(code)!r}: {why}"
