"""What can be wrong between the parts of an application, each part being sound by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shardlog.model.aggregate import Aggregate
from shardlog.model.domain import Domain
from shardlog.model.message_checks import holds_personal
from shardlog.model.messages import Event, Message, Row
from shardlog.model.names import closest, show, where
from shardlog.model.naming import named_by, names_of
from shardlog.model.process import ProcessManager
from shardlog.model.projection import Projection
from shardlog.model.rows import table_name


def problems(domains: Sequence[Domain], projections: Sequence[Projection], has_key_store: bool) -> list[str]:
    """All that is wrong, a sentence each."""
    aggregates = [aggregate for domain in domains for aggregate in domain.aggregates.values()]
    managers = [manager for domain in domains for manager in domain.process_managers]
    found = [
        *(problem for aggregate in aggregates for problem in aggregate.problems()),
        *_repeated("domains have the name", (domain.name for domain in domains)),
        *_repeated("aggregates have the category", (aggregate.category for aggregate in aggregates)),
        *_repeated("process managers have the name", (manager.name for manager in managers)),
        *_repeated("projections have the name", (projection.name for projection in projections)),
        *_shared_tables(projections),
        *_unheard_events(aggregates, managers, projections),
        *_unknown_rejections(aggregates, projections),
        *_unknown_targets(aggregates, managers),
        *_undeclared_rows(projections),
    ]
    if not has_key_store:
        found += _personal(aggregates, projections)
    return found


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{count} {what} {name!r}: rename all but one, or was one module imported under two names?"


def _shared_tables(projections: Sequence[Projection]) -> Iterator[str]:
    owners: dict[str, Projection] = {}
    for projection in projections:
        kept = [(table_name(row), "the table", "rows another `name=`") for row in projection.rows]
        kept += [(join.name, "the view", "joins another name") for join in projection.views]
        for name, what, way in kept:
            first = owners.setdefault(name, projection)
            if first is not projection and first.name != projection.name:
                yield (
                    f"projections {first.name!r} and {projection.name!r} both keep {what} {name!r}: "
                    f"a table has one owner. Give one of the {way}."
                )


def _unheard_events(
    aggregates: Sequence[Aggregate[Any, Any, Any]],
    managers: Sequence[ProcessManager],
    projections: Sequence[Projection],
) -> Iterator[str]:
    known = {event for aggregate in aggregates for event in aggregate.evolutions}
    old = {event for aggregate in aggregates for event in aggregate.upcasters}
    listeners: list[tuple[str, Iterable[type[Event]]]] = [
        *((f"process manager {manager.name!r}", manager.handlers) for manager in managers),
        *((f"projection {projection.name!r}", projection.heard_events) for projection in projections),
    ]
    for owner, handlers in listeners:
        for event in handlers:
            if event in old:
                yield (
                    f"{owner} listens to {event.__name__}, an old event that is upcast before anybody hears it: "
                    "listen to what its upcaster returns"
                )
            elif event not in known:
                yield (
                    f"{owner} listens to {event.__name__}, which no aggregate of the application evolves "
                    f"(an aggregate left out?){closest(event.__name__, [e.__name__ for e in known])}"
                )


def _unknown_rejections(
    aggregates: Sequence[Aggregate[Any, Any, Any]], projections: Sequence[Projection]
) -> Iterator[str]:
    known = [aggregate.category for aggregate in aggregates]
    for projection in projections:
        if projection.rejections and projection.rejection_handler is None:
            yield (
                f"projection {projection.name!r} names rejections of {', '.join(projection.rejections)} and has no "
                "handler for them: write one with `on_rejected`, or name none"
            )
        for category in projection.rejections:
            if category not in known:
                yield (
                    f"projection {projection.name!r} listens to rejections of {category!r}, which is no category "
                    f"of the application{closest(category, known)}"
                )


def _unknown_targets(
    aggregates: Sequence[Aggregate[Any, Any, Any]], managers: Sequence[ProcessManager]
) -> Iterator[str]:
    commands = {command for aggregate in aggregates for command in aggregate.commands_by_name.values()}
    for manager in managers:
        for command in manager.rejection_handlers:
            if command not in commands:
                yield (
                    f"process manager {manager.name!r} listens to refusals of {show(command)}, "
                    "which no aggregate of the application handles"
                )
        for handler in {*manager.handlers.values(), *manager.rejection_handlers.values()}:
            for target in named_by(handler) if "send" in names_of(handler) else ():
                if isinstance(target, Aggregate) and target not in aggregates:
                    yield (
                        f"{where(handler)} of process manager {manager.name!r} sends to aggregate {target.category!r}, "
                        "which is in no domain of the application"
                    )


def _undeclared_rows(projections: Sequence[Projection]) -> Iterator[str]:
    for projection in projections:
        handlers: list[Callable[..., object]] = [*projection.handlers.values()]
        handlers += [heard.handler for heard in projection.batch_handlers]
        if projection.rejection_handler is not None:
            handlers.append(projection.rejection_handler)
        for handler in dict.fromkeys(handlers):
            classes = dict.fromkeys(value for value in named_by(handler) if isinstance(value, type))
            for row in classes:
                if issubclass(row, Row) and row is not Row and row not in projection.rows:
                    yield f"{where(handler)} writes {row.__name__}: {projection.why_undeclared(row)}"


def _personal(aggregates: Sequence[Aggregate[Any, Any, Any]], projections: Sequence[Projection]) -> list[str]:
    messages: list[type[Message]] = [message for aggregate in aggregates for message in aggregate.messages()]
    messages += [row for projection in projections for row in projection.rows]
    holders = sorted({message.__name__ for message in messages if holds_personal(message)})
    if not holders:
        return []
    return [
        f"{', '.join(holders)} hold(s) Personal values, and no key store is configured to seal them with: "
        "configure one, or make the fields plain if they are about nobody"
    ]
