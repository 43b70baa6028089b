"""One shard driven by hand: the real executor over a journal whose appends land when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from shardlog import Application, Command, Outcome
from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.codec.json import encode
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant, Mode
from shardlog.executor.requests import CommandRecord, Request
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.snapshotting import Snapshotting
from shardlog.executor.state import Shard, ShardState
from shardlog.journal.envelope import body_of
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import FrameBody, Origin, RawEvent, decode_raw_frame
from shardlog.journal.writer import JournalWriter
from shardlog.ports.inputs import Input
from shardlog.ports.sends import SendsSource
from tests.unit.executor.ledger import ledger

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
TIME = 1_800_000_000_000_000
SECOND = 1_000_000
EACH_STEP_A_FRAME = {"pipelined_commands_min": 1}
"""So that a test says by its steps which commands share a frame."""
DEFAULT_LIMITS = Limits(**EACH_STEP_A_FRAME)


class HandClock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.us = TIME
        self.ms = 0.0


class HandWorld:
    """Clocks moved by hand, and nonces in a row. name: whose nonces. clock: several worlds may share one."""

    def __init__(self, name: int = 0, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self._nonces = name << 64

    def now_us(self) -> int:
        return self.clock.us

    def monotonic_ms(self) -> float:
        return self.clock.ms

    def nonce(self) -> str:
        self._nonces += 1
        return f"{self._nonces:032x}"

    def wait(self, ms: float) -> None:
        """Both clocks move."""
        self.clock.ms += ms
        self.clock.us += int(ms * 1000)


class Answered:
    """A sink that keeps the outcomes in the order of their coming, and takes each once."""

    def __init__(self) -> None:
        self.outcomes: dict[Any, Outcome] = {}
        self.deliveries = 0

    def deliver(self, answers: list[tuple[Any, Outcome]], /) -> None:
        self.deliveries += 1
        for ticket, outcome in answers:
            assert ticket not in self.outcomes, f"{ticket} was answered twice"
            self.outcomes[ticket] = outcome


class HandInput(Input):
    """An input whose records are a list that grows."""

    def __init__(self, name: str = "feeder:hand:1", first: int = 0, carries_sends: bool = True) -> None:
        self._name = name
        self._first = first
        self._carries_sends = carries_sends
        self.values: list[bytes] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def carries_sends(self) -> bool:
        return self._carries_sends

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        start = max(start, self._first)
        place = start - self._first
        return list(enumerate(self.values[place : place + limit], start))

    def put(self, *values: bytes) -> None:
        self.values += values


def record(id: str, command: Command, category: str = "account", **more: Any) -> CommandRecord:
    """A command's record; `more` are its other fields."""
    fields: dict[str, Any] = {
        "format": 1,
        "category": category,
        "id": id,
        "command": type(command).__wire_name__,
        "command_id": "",
        **dict.fromkeys(("tenant", "actor", "correlation", "causation", "traceparent", "reply_to"), ""),
        "expected_version": None,
        "occurred_at": None,
        "payload": msgspec.Raw(encode(command)),
        "origin": None,
    }
    return CommandRecord(**fields | more)


def value(id: str, command: Command, **more: Any) -> bytes:
    """The same as the bytes of an input."""
    return msgspec.json.encode(record(id, command, **more))


def origin(
    at: tuple[int, int, int], previous: tuple[int, int, int] | None, shard: int = 1, manager: str = "payments"
) -> Origin:
    """The send that a command came by."""
    return Origin(manager, shard, *at, previous)


class Served:
    """A shard, its journal, its world and those who wait for answers."""

    def __init__(
        self,
        journal: FaultyJournal | None = None,
        *,
        world: HandWorld | None = None,
        limits: Mapping[str, int] | Limits = DEFAULT_LIMITS,
        number: int = 0,
        shards: int = 1,
        inputs: Sequence[Input] = (),
        accepted_inputs: Sequence[str] = (),
        is_assigned: Callable[[float], bool | None] = lambda _since_ms: True,
        application: Application = ledger,
        name: str = "test",
        sends: SendsSource | None = None,
        snapshots: Callable[[ExecutorCore, JournalWriter, HandWorld], Snapshotting] | None = None,
    ) -> None:
        self.journal = FaultyJournal(shards) if journal is None else journal
        self.world = world or HandWorld()
        self.number = number
        self.shards = shards
        self.application = application
        self.sink = Answered()
        self._sent = 0
        self.core = ExecutorCore(
            application,
            Shard(JOURNAL, number, shards),
            limits if isinstance(limits, Limits) else Limits(**{**EACH_STEP_A_FRAME, **limits}),
        )
        self.writer = JournalWriter(Reader(JOURNAL, number, shards), pending_max=self.core.limits.pending_frames_max)
        self.shard = ShardExecutor(
            self.core,
            self.journal,
            self.writer,
            Claimant(name),
            self.world,
            inputs,
            accepted_inputs=accepted_inputs,
            is_assigned=is_assigned,
            sends=sends,
            snapshots=None if snapshots is None else snapshots(self.core, self.writer, self.world),
        )

    # -- driving -------------------------------------------------------------------------------------------------------
    def serve(self) -> Served:
        """Recover and claim; everything lands."""
        self.settle()
        assert self.shard.mode is Mode.SERVING, self.shard.mode
        return self

    def step(self, times: int = 1) -> None:
        """Step; the shortest of back-offs is waited for."""
        for _ in range(times):
            if self.shard.mode is Mode.BACKING_OFF:
                self.world.wait(self.core.limits.back_off_min_ms)
            self.shard.step()

    def settle(self) -> None:
        """Everything in flight lands and is reported; steps until nothing moves. Back-offs are waited for."""
        for _ in range(2_000):
            self.journal.deliver_all(self.number)
            moved = self.shard.step()
            if self.shard.mode is Mode.BACKING_OFF:
                self.world.wait(10_000)
            elif not moved and not self.journal.in_flight(self.number):
                return
        raise AssertionError(f"shard {self.number} does not come to rest: {self.shard.mode}")

    # -- asking --------------------------------------------------------------------------------------------------------
    def submit(self, id: str, command: Command, channel: str = "local", **more: Any) -> int:
        """Queue a request; returns its ticket. Without a command id it gets one of its own."""
        self._sent += 1
        more.setdefault("command_id", f"c-{self._sent}")
        self.shard.submit(Request(record(id, command, **more), channel, self.sink, self._sent))
        return self._sent

    def send(self, id: str, command: Command, **more: Any) -> Outcome:
        """Submit and settle."""
        ticket = self.submit(id, command, **more)
        self.settle()
        return self.outcome(ticket)

    def outcome(self, ticket: int) -> Outcome:
        return self.sink.outcomes[ticket]

    def is_answered(self, ticket: int) -> bool:
        return ticket in self.sink.outcomes

    # -- looking -------------------------------------------------------------------------------------------------------
    def state(self, id: str, category: str = "account") -> Any:
        found = self.core.state.registry.categories[category].slot(id)
        return None if found is None else found.state

    def version(self, id: str, category: str = "account") -> int:
        found = self.core.state.registry.categories[category].slot(id)
        return 0 if found is None else found.version

    def frames(self) -> list[FrameBody[RawEvent]]:
        """The valid frames that stand in the log."""
        return [decode_raw_frame(body_of(found)) for _, found in self.valid()]

    def valid(self) -> list[tuple[int, bytes]]:
        """Offsets and values of the valid frames, by a reader of its own."""
        reader = Reader(JOURNAL, self.number, self.shards)
        read = self.journal.read(self.number, 0)
        return [(offset, found) for offset, found in read if isinstance(reader.pass_over(offset, found), FrameTaken)]

    def entries(self) -> list[Any]:
        return [entry for frame in self.frames() for entry in frame.entries]

    def restarted(self, **changes: Any) -> Served:
        """Another process that serves the shard from the log alone; its clock stands as this one's, and goes
        alone."""
        world = HandWorld((self.world._nonces >> 64) + 1)
        world.clock.us, world.clock.ms = self.world.clock.us, self.world.clock.ms
        changes.setdefault("limits", self.core.limits)
        changes.setdefault("application", self.application)
        changes.setdefault("inputs", self.shard._inputs.all)
        return Served(self.journal, number=self.number, shards=self.shards, **{"world": world, **changes})


def everything(state: ShardState) -> dict[str, Any]:
    """All that a shard knows, to be compared: streams, small state, windows."""
    requests, counted = state.requests, state.counted
    return {
        "streams": {
            (category.name, id): (slot.version, slot.state)
            for category in state.registry.categories.values()
            for bucket in category.buckets
            for id, slot in bucket.items()
        },
        "time": state.time,
        "inputs": dict(state.inputs),
        "sent": dict(state.sent),
        "received": dict(state.received),
        "requests": {n: _merged(buckets) for n, buckets in requests._generations.items()},
        "requests counted": dict(requests._counts),
        "counted": (counted._count, _merged(counted._recent), _merged(counted._older)),
    }


def _merged(buckets: list[dict[bytes, int]]) -> dict[bytes, int]:
    return {key: place for bucket in buckets for key, place in bucket.items()}


def replayed(served: Served) -> dict[str, Any]:
    """What a reader of the log alone knows."""
    fresh = served.restarted()
    fresh.shard._read_log()
    return everything(fresh.core.state)
