"""The carrier: what shards send one another is pushed to its target, and the checkpoint follows delivery (rule D3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from shardlog.errors import ShardlogError
from shardlog.model.application import Application
from shardlog.ports.carriage import Carriage
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.ports.sends import At
from shardlog.relay.attempts import Attempts, Seldom
from shardlog.relay.held import Ready
from shardlog.relay.inputs import RelayInputs
from shardlog.relay.limits import RelayLimits
from shardlog.relay.reading import Reading, begin_readers
from shardlog.sharding import routing_key
from shardlog.telemetry.figures import RelayFigures

WHOSE = "the carrier"
CARRIAGE = "the way to the targets"
REACH_CHECK_MS = 1_000
SENDS_AT_ONCE = 10_000


class _Address(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a command's record begins with."""

    format: int
    category: str
    id: str


_decode_address = msgspec.json.Decoder(_Address).decode


class _Report(NamedTuple):
    """What became of a record. generation: of the beginning since which it was sent. at: None for a checkpoint."""

    generation: int
    target: int
    source: int
    at: At | None
    error: ShardlogError | None


class Carrier:
    """Carries the sends of a journal's shards. It has no thread: call `step` from one.

    journal_id, shards: as the journal's meta record says. inputs: where forwarded records are fetched. monotonic_ms: a
    clock for waits.

    After any error it begins again at its checkpoint, which lies before all that is not durable at its target: so each
    target gets every send at least once, and in its order. It drops what it has, and what comes too soon. Two carriers
    of one journal do no harm.
    """

    def __init__(
        self,
        journal: Journal,
        journal_id: str,
        shards: int,
        application: Application,
        carriage: Carriage,
        monotonic_ms: Callable[[], float],
        inputs: Sequence[Input] = (),
        limits: RelayLimits | None = None,
    ) -> None:
        self.carried = 0
        self._id = journal_id
        self._shards = shards
        self._application = application
        self._carriage = carriage
        self._now_ms = monotonic_ms
        self._limits = limits or RelayLimits()
        self._attempts = Attempts("carrier", monotonic_ms, self._limits.retry_ms, self._limits.retry_ms_max)
        reach = Seldom(monotonic_ms, REACH_CHECK_MS)
        fetched = RelayInputs(inputs, self._limits.original_bytes_max)
        self._reading = Reading(journal, application, fetched, self._attempts, self._limits, WHOSE, False, reach.is_due)
        self._reports: deque[_Report] = deque()
        self._generation = 0
        self._sent: list[dict[int, At]] = []
        self._delivered: dict[int, dict[int, At]] = {}
        self._stored: dict[int, int] = {}
        self._written_ms = monotonic_ms()

    @property
    def errors(self) -> dict[str, ShardlogError]:
        """What goes wrong now, by what it concerns."""
        return self._attempts.errors

    @property
    def held(self) -> int:
        """How many sends were read and are not known to be durable at their targets."""
        return self._reading.held.sends

    def step(self) -> bool:
        """Take reports, read on where there is room, send what is new. Returns whether there was more to read.

        What goes wrong stands in `errors` until it goes right, and is tried again after `retry_ms`.
        """
        if not self._take_reports():
            self._reading.sources.clear()
        if not self._reading.sources and not self._attempts.attempt(CARRIAGE, self._begin, grows=False):
            return False
        is_more_there = self._reading.read()
        for target in range(self._shards):
            self._push(target)
        if self._now_ms() - self._written_ms >= self._limits.checkpoint_ms:
            self._store()
        return is_more_there

    @property
    def progress(self) -> int:
        """Another number where a step has read something, or heard that a send is durable."""
        return self.carried + sum(source.position for source in self._reading.sources)

    def figures(self) -> RelayFigures:
        """What it shows of itself to metrics. From any thread, and without I/O: ends are those of the last look."""
        return self._reading.figures()

    def behind(self) -> int:
        """Records not read and sends not known to be durable, over all shards; a question to the log."""
        if not self._reading.sources:
            return 1
        return self._reading.unread() + self.held

    def close(self, deadline_ms: int) -> None:
        """Let what was sent be delivered, within the deadline, and store how far. Raises nothing."""
        if self._reading.sources and self._take_reports():
            self._store()
        self._carriage.close(deadline_ms)

    # -- beginning -----------------------------------------------------------------------------------------------------
    def _begin(self) -> bool:
        """From the checkpoints, with nothing on its way that counts. Raises Diverged where they do not fit."""
        self._generation += 1
        stored = self._carriage.begin()
        readers = begin_readers(stored, self._id, self._shards, WHOSE)
        self._stored = {shard: checkpoint.next for shard, checkpoint in stored.items()}
        self._sent = [{} for _ in range(self._shards)]
        self._delivered = {}
        self._reading.begin(readers)
        self._written_ms = self._now_ms()
        return True

    def _take_reports(self) -> bool:
        """Let go of what is durable; False where something is not, and all begins again."""
        reports, is_new = self._reports, False
        while reports:
            generation, target, source, at, error = reports.popleft()
            if generation != self._generation:
                continue  # of a producer that was abandoned
            if error is not None:
                self._attempts.failed(CARRIAGE, error, self._limits.retry_ms)
                self._generation += 1  # what follows it may be durable, and does not count: all is sent again
                return False
            if at is not None:
                self._delivered.setdefault(target, {})[source] = at
                self.carried += 1
                is_new = True
        if is_new:
            self._reading.settle(self._delivered)
        return True

    # -- sending -------------------------------------------------------------------------------------------------------
    def _push(self, target: int) -> None:
        """Hand over what is held for this target and was not handed over yet."""
        sent = self._sent[target]
        for ready in self._reading.held.ready(target, sent, SENDS_AT_ONCE):
            sent[ready.source] = ready.at
            report = partial(self._report, self._generation, target, ready.source, ready.at)
            self._carriage.send(target, self._key(ready), ready.record, report)

    def _key(self, ready: Ready) -> bytes:
        address = _decode_address(ready.record)
        aggregate = self._application.aggregates.get(address.category)
        return routing_key(address.id, None if aggregate is None else aggregate.routing_parts).encode()

    def _store(self) -> None:
        moved = [
            checkpoint
            for shard, checkpoint in self._reading.checkpoints.items()
            if checkpoint.next > self._stored.get(shard, 0)
        ]
        self._written_ms = self._now_ms()
        if moved:
            self._carriage.store(moved, partial(self._report, self._generation, 0, 0, None))
            self._stored |= {checkpoint.shard: checkpoint.next for checkpoint in moved}

    def _report(self, generation: int, target: int, source: int, at: At | None, error: ShardlogError | None) -> None:
        self._reports.append(_Report(generation, target, source, at, error))
