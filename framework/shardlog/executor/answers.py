"""Answers of acknowledged frames: tokens put in, repeats read again from the frame that holds their first outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from shardlog.executor.draft import AcceptedAnswer, Answer, PlainAnswer, RejectedAnswer, RepeatAnswer
from shardlog.executor.replay import Replay
from shardlog.executor.requests import Found, Sink
from shardlog.executor.state import Shard, ShardState
from shardlog.executor.window import Place
from shardlog.journal.records import Accepted, Rejected, entry_indexes
from shardlog.model.outcomes import CommandAccepted, CommandRejected, CommandUnavailable, Outcome
from shardlog.model.recorded import Position
from shardlog.model.upcasting import upcast
from shardlog.telemetry.fields import Fields

log = logging.getLogger("shardlog.executor")


class Answers:
    """Turns what a frame's builder noted into outcomes, once the frame is acknowledged."""

    def __init__(
        self, state: ShardState, replay: Replay, shard: Shard, read_body: Callable[[int], bytes | memoryview]
    ) -> None:
        self._state = state
        self._replay = replay
        self._shard = shard
        self._read_body = read_body

    def deliver(self, answers: Iterable[Answer], offset: int) -> None:
        """Send the answers of the frame at `offset` to those who wait; one call a sink."""
        by_sink: dict[Sink, list[tuple[Any, Outcome | Found]]] = {}
        token = f"{self._shard.journal}.{self._shard.number}.{offset}."
        for answer in answers:
            request = answer.request
            delivered = by_sink.get(request.sink)
            if delivered is None:
                delivered = by_sink[request.sink] = []
            outcome: Outcome | Found
            if isinstance(answer, AcceptedAnswer):
                outcome = CommandAccepted(answer.events, answer.version, f"{token}{answer.last_index}")
            else:
                outcome = self._outcome(answer, offset)
            delivered.append((request.ticket, outcome))
        for sink, delivered in by_sink.items():
            sink.deliver(delivered)

    def _outcome(self, answer: RejectedAnswer | PlainAnswer | RepeatAnswer, offset: int) -> Outcome | Found:
        if isinstance(answer, RejectedAnswer):
            token = self._token(offset, answer.last_index)
            return CommandRejected(answer.code, answer.message, answer.details, token)
        if isinstance(answer, PlainAnswer):
            return answer.outcome
        return self._repeated(answer)

    def _repeated(self, answer: RepeatAnswer) -> Outcome:
        """The first outcome, read again; where the journal does not give it, this repeat alone goes without."""
        place = answer.place or self._state.requests.find(answer.key)
        if place is None:
            return _unknown("the first outcome of this command id left the window while its repeat waited")
        try:
            return self._first(place)
        except Exception as error:
            about: Fields = {"journal": self._shard.journal, "shard": self._shard.number}
            text = "shard %d: the outcome at offset %d cannot be read again"
            log.exception(text, self._shard.number, place.offset, extra=about)
            return _unknown(f"this command id has an outcome, and it cannot be read again: {error}")

    def _token(self, offset: int, index: int) -> str:
        return Position(self._shard.journal, self._shard.number, offset, index).token

    def _first(self, place: Place) -> Outcome:
        """The outcome that stands at this place, as it was answered first."""
        frame = self._replay.decode(self._read_body(place.offset))
        index = 0
        for entry in frame.entries:
            if index == place.first_index:
                return self._recorded(entry, place.offset, index + entry_indexes(entry) - 1)
            index += entry_indexes(entry)
        raise LookupError(
            f"shard {self._shard.number}, offset {place.offset}: no entry begins at index {place.first_index}"
        )

    def _recorded(self, entry: Any, offset: int, last: int) -> Outcome:
        token = self._token(offset, last)
        if isinstance(entry, Rejected):
            return CommandRejected(entry.code, entry.message, entry.details, token)
        assert isinstance(entry, Accepted)
        category = self._state.registry.categories[entry.category]
        own = [e for e in entry.events if e.id == entry.id and self._replay.category_of(e) is category]
        events = tuple(current for e in own for current in upcast(category.aggregate, e.data))
        return CommandAccepted(events, own[-1].version if own else None, token)


def _unknown(why: str) -> CommandUnavailable:
    return CommandUnavailable("outcome_unknown", f"{why}; read the stream", retry_after_ms=0)
