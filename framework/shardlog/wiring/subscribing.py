"""Events of a journal as an asynchronous iterator, for consumers that keep their own books."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import DomainError, HistoryMissing, JournalUnavailable
from shardlog.journal.reader import Reader
from shardlog.model.application import Application
from shardlog.model.messages import Event, Recorded
from shardlog.model.names import closest, show
from shardlog.model.recorded import Position
from shardlog.projector.core import Source
from shardlog.projector.heard import FrameReader
from shardlog.projector.subscription import Happened, Start, Subscription, SubscriptionLimits, begins_after
from shardlog.wiring.reading import OpenJournal, open_journal
from shardlog.wiring.snapshots_read import manifests

E = TypeVar("E", bound=Event)
T = TypeVar("T")
RETRY_SECONDS = 0.5


@overload
def subscribe(
    application: Application,
    directory: str | Path,
    events: Sequence[type[E]],
    *,
    categories: Sequence[str] = ...,
    start: Literal["beginning", "now"] = ...,
    after: Iterable[str] = ...,
    kafka: KafkaSettings | None = ...,
    limits: SubscriptionLimits | None = ...,
) -> AsyncGenerator[tuple[E, Recorded], None]: ...
@overload
def subscribe(
    application: Application,
    directory: str | Path,
    *,
    categories: Sequence[str] = ...,
    start: Literal["beginning", "now"] = ...,
    after: Iterable[str] = ...,
    kafka: KafkaSettings | None = ...,
    limits: SubscriptionLimits | None = ...,
) -> AsyncGenerator[tuple[Event, Recorded], None]: ...
def subscribe(
    application: Application,
    directory: str | Path,
    events: Sequence[type[Event]] | None = None,
    *,
    categories: Sequence[str] = (),
    start: Literal["beginning", "now"] = "beginning",
    after: Iterable[str] = (),
    kafka: KafkaSettings | None = None,
    limits: SubscriptionLimits | None = None,
) -> AsyncGenerator[tuple[Any, Recorded], None]:
    """Events with their records, on and on, beside whoever serves the journal: nothing is locked, claimed or written.

    directory: the journal's; with `kafka`, which names brokers, that of snapshots on this machine, if there are any.
    events: the classes to hear, all where none is given; old versions come as what they are upcast to. categories:
    those to hear, all where none is named. after: consistency tokens, `recorded.position.token` of what was handled:
    each shard goes on behind its furthest one. start: where the other shards begin.

    A shard's events come in its order; shards are not ordered among each other. What follows the event that is being
    handled waits in memory within `limits`, and no more is read meanwhile.

    Raises DomainError and InvalidToken at once; while it runs JournalMismatch, Diverged, UnknownFormat, Corrupt,
    Truncated and HistoryMissing as every reader of a journal, and JournalUnavailable where brokers stay silent.
    """
    wanted = _wanted(application, events)
    _check_categories(application, categories)
    if start not in ("beginning", "now"):
        raise DomainError(
            f"subscribe: start={start!r}, and must be 'beginning' or 'now'; places are given as after=[...]"
        )
    if isinstance(after, str):
        raise DomainError(f"subscribe: after={after!r} is a text, and must be a list of tokens: one for each shard")
    tokens = [Position.parse(token) for token in after]
    bounds = limits or SubscriptionLimits()

    def open_(closing: ExitStack) -> Subscription:
        opened = closing.enter_context(open_journal(Path(directory), kafka))
        source = Source(opened.meta.journal, opened.meta.shards)
        frames = FrameReader(application, (), source.journal, events=wanted, categories=categories or None)
        starts = _starts(opened, source, tokens, start)
        return Subscription(opened.journal, source, frames, wanted, starts, bounds)

    return _events(open_, bounds)


async def _events(
    open_: Callable[[ExitStack], Subscription], limits: SubscriptionLimits
) -> AsyncGenerator[Happened, None]:
    """Everything that touches the journal runs in one thread, which ends with this generator."""
    thread, closing = ThreadPoolExecutor(1, "shardlog-subscription"), ExitStack()
    try:
        subscription = await _patiently(thread, lambda: open_(closing), limits)
        while True:
            happened = await _patiently(thread, subscription.step, limits)
            for one in happened or ():
                yield one
            if happened is None:
                await asyncio.sleep(limits.idle_ms / 1000)
    finally:
        closed = asyncio.get_running_loop().run_in_executor(thread, closing.close)  # behind a reading under way
        thread.shutdown(wait=False)
        await asyncio.shield(closed)


async def _patiently(thread: ThreadPoolExecutor, work: Callable[[], T], limits: SubscriptionLimits) -> T:
    """Do it in the thread; again, for a while, where brokers are silent."""
    give_up = time.monotonic() + limits.unavailable_ms / 1000
    while True:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except JournalUnavailable:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(RETRY_SECONDS)


def _starts(
    opened: OpenJournal, source: Source, tokens: Sequence[Position], start: Literal["beginning", "now"]
) -> Mapping[int, Start]:
    bounds = {shard: opened.journal.offsets(shard) for shard in range(source.shards)}
    behind = begins_after(source, tokens, {shard: end for shard, (_, end) in bounds.items()})
    starts: dict[int, Start] = {}
    for shard, (earliest, end) in bounds.items():
        offset, index = behind.get(shard, (end if start == "now" else 0, 0))
        starts[shard] = Start(_reader(opened, shard, earliest, offset), offset, index)
    return starts


def _reader(opened: OpenJournal, shard: int, earliest: int, offset: int) -> Reader:
    """At the newest snapshot before the offset: what a record is worth is known from those before it alone."""
    meta = opened.meta
    known = manifests(opened.directory, meta.journal, meta.shards)[shard]
    near = next((found for found in known if earliest <= found.about.next <= offset), None)
    if near is not None:
        return Reader.from_state(near.about.reader)
    if earliest:
        raise HistoryMissing(
            f"shard {shard} begins at offset {earliest}, and events are wanted from offset {offset} on: no snapshot in "
            f"{opened.directory} stands between the two. Begin with start='now', or read the archive"
        )
    return Reader(meta.journal, shard, meta.shards)


def _wanted(application: Application, events: Sequence[type[Event]] | None) -> frozenset[type[Event]]:
    known = [event for aggregate in application.aggregates.values() for event in aggregate.evolutions]
    old = [event for aggregate in application.aggregates.values() for event in aggregate.upcasters]
    for event in events or ():
        if event in old:
            raise DomainError(
                f"subscribe: {show(event)} is an old event, which is upcast before anybody hears it: name what its "
                "upcaster returns"
            )
        if event not in known:
            raise DomainError(
                f"subscribe: {show(event)} is an event that no aggregate of the application evolves"
                f"{closest(show(event), [show(one) for one in known])}"
            )
    if events is not None and not events:
        raise DomainError(
            "subscribe: events is empty, so that nothing would be heard: name some, or leave it out for all"
        )
    return frozenset(known if events is None else events)


def _check_categories(application: Application, categories: Sequence[str]) -> None:
    if isinstance(categories, str):
        raise DomainError(f"subscribe: categories={categories!r} is a text, and must be a list: [{categories!r}]")
    for category in categories:
        if category not in application.aggregates:
            raise DomainError(
                f"subscribe: categories has {category!r}, which is no category of the application"
                f"{closest(category, application.aggregates)}"
            )
