"""Whole domains in memory: commands, what process managers make of them, and projections, until nothing moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from shardlog.errors import DomainError, EngineRejection, Rejection
from shardlog.model.application import Application
from shardlog.model.domain import Domain
from shardlog.model.messages import Command, Event, Row, State
from shardlog.model.names import closest
from shardlog.model.process import ProcessManager, Rejected, Sends, as_sends
from shardlog.model.projection import Projection
from shardlog.model.stream import Send, Stream
from shardlog.model.upcasting import upcast
from shardlog.testing.kit.executing import Decided, execute
from shardlog.testing.kit.given import History
from shardlog.testing.kit.projecting import Projected
from shardlog.testing.kit.purity import Kind, purely
from shardlog.testing.kit.world import AnyStream, Happened, Request, World

__tracebackhide__ = True

S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)

COMMANDS_MAX = 1_000
"""How many commands process managers may send for one, before it is taken for a loop."""


class _Sent(msgspec.Struct, frozen=True):
    manager: ProcessManager
    send: Send


class Scenario:
    """An application in memory. Raises DomainError with every problem of the application, as its start would.

    checks_writers: whether a row that is written from two routing keys by anything but `increment` raises DomainError.
    """

    def __init__(self, *domains: Domain, projections: Sequence[Projection] = (), checks_writers: bool = True) -> None:
        self._application = Application(domains, projections, has_key_store=True)
        self._checks_writers = checks_writers
        self._world = World()
        self._decided = Decided({})

    def given(self, *histories: History) -> Scenario:
        """What happened before. Process managers do not hear it."""
        for history in histories:
            self._world.record_past(history.stream, history.events)
        return self

    def when(
        self,
        stream: Stream[S, C, E],
        command: C,
        *,
        actor: str = "",
        tenant: str = "",
        occurred_at: datetime | None = None,
        expected_version: int | None = None,
        after: timedelta = timedelta(),
    ) -> Scenario:
        """A command, and then all that process managers send, until nothing moves."""
        self._world.now += after
        start = len(self._world.journal)
        request = Request(actor, tenant, occurred_at, expected_version)
        self._decided = execute(self._world, stream, command, request)
        self._run_until_quiet(start)
        return self

    def then_rejected(self, code: str) -> Scenario:
        """The last command, not one that was sent for it, was refused with this code."""
        rejection = self._decided.rejection
        assert rejection is not None, f"expected rejection {code!r}, but the command was accepted"
        assert rejection.code == code, f"expected rejection {code!r}, got {rejection}"
        return self

    def then_state(self, stream: Stream[S, C, E], state: S) -> Scenario:
        """The stream is in this state."""
        actual = self._world.state(stream)
        assert actual == state, f"\n  expected {state}\n  got      {actual}"
        return self

    def then_rows(self, projection: Projection, *rows: Row) -> Scenario:
        """All rows of all tables of the projection, in any order."""
        if projection is not self._application.projections.get(projection.name):
            raise DomainError(
                f"projection {projection.name!r} is not in this scenario: Scenario(..., projections=[...])"
            )
        heard = self._application.categories_heard(projection)
        Projected(projection, self._world.journal, heard, self._checks_writers).then_rows(*rows)
        return self

    def state(self, stream: Stream[S, C, E]) -> S:
        """The state of a stream."""
        return self._world.state(stream)

    def _run_until_quiet(self, start: int) -> None:
        waiting = deque(self._sent_since(start))
        sent_count = 0
        while waiting:
            sent = waiting.popleft()
            sent_count += 1
            if sent_count > COMMANDS_MAX:
                raise AssertionError(
                    f"process managers sent more than {COMMANDS_MAX} commands for one: a loop? The next would be "
                    f"{sent.send.command!r} to {sent.send.category}/{sent.send.id} by {sent.manager.name!r}."
                )
            start = len(self._world.journal)
            decided = execute(self._world, self._target(sent), sent.send.command, Request())
            if decided.rejection is not None:
                waiting.extend(self._refused(sent, decided.rejection))
            waiting.extend(self._sent_since(start))

    def _sent_since(self, start: int) -> Iterator[_Sent]:
        for fact in self._world.journal[start:]:
            if isinstance(fact, Happened):
                for event in upcast(fact.stream.aggregate, fact.event):
                    yield from self._sent_for(event, fact)

    def _sent_for(self, event: Event, fact: Happened) -> Iterator[_Sent]:
        recorded = msgspec.structs.replace(fact.recorded, position=None)
        for manager in self._application.process_managers.values():
            handler = manager.handlers.get(type(event))
            if handler is not None:
                yield from _sent(manager, purely(Kind.PROCESS, handler, event, recorded))

    def _refused(self, sent: _Sent, rejection: Rejection) -> Iterator[_Sent]:
        send, command = sent.send, type(sent.send.command).__name__
        what = f"{command}, sent to {send.category}/{send.id} by process manager {sent.manager.name!r}, was refused"
        if isinstance(rejection, EngineRejection):
            raise AssertionError(
                f"{what} by the engine ({rejection}): no handler hears that, it waits as a command dead letter "
                "for an operator. Send what can be decided."
            )
        handler = sent.manager.rejection_handlers.get(type(send.command))
        if handler is None:
            raise AssertionError(
                f"{what} ({rejection}) and nobody listens: write `@{sent.manager.name}.on_rejected def "
                f"...(rejected: Rejected[{command}])`, or return an event instead of rejecting"
            )
        rejected = Rejected(
            category=send.category, id=send.id, command=send.command, code=rejection.code, message=rejection.message
        )
        yield from _sent(sent.manager, purely(Kind.PROCESS, handler, rejected))

    def _target(self, sent: _Sent) -> AnyStream:
        category = sent.send.category
        aggregate = self._application.aggregates.get(category)
        if aggregate is None:
            known = list(self._application.aggregates)
            raise DomainError(
                f"process manager {sent.manager.name!r} sends to {category!r}, which is no category of the application"
                f"{closest(category, known)}"
            )
        return aggregate.stream(sent.send.id)


def _sent(manager: ProcessManager, sends: Sends) -> Iterator[_Sent]:
    for send in as_sends(sends):
        yield _Sent(manager, send)
