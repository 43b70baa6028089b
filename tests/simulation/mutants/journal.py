"""Mutants of the journal's rules: what counts, what acknowledges, what ends an epoch."""

from __future__ import annotations

from typing import Any

from shardlog.executor.core import ExecutorCore
from shardlog.executor.mode import Mode
from shardlog.executor.shard import ShardExecutor
from shardlog.journal.effects import PASSED, Acknowledged, Failed
from shardlog.journal.envelope import body_of, envelope_of
from shardlog.journal.records import decode_claim
from shardlog.journal.states import State
from shardlog.journal.writer import JournalWriter
from shardlog.testing.simulation.broker import Partition
from tests.simulation.mutants.mutant import Change, mutant
from tests.simulation.mutants.takes_anything import loose_reader


@mutant("R2: a frame counts whatever its prev and seq")
def chain_and_seq() -> list[Change]:
    return loose_reader(lambda r, e: (e.epoch, e.nonce) == (b"%d" % r.epoch, r.nonce.encode()))


@mutant("R2: a frame counts whatever its prev, epoch and nonce")
def chain_epoch_and_nonce() -> list[Change]:
    return loose_reader(lambda r, e: e.seq == b"%d" % (r.seq + 1))


@mutant("R2: a frame counts whatever its prev, seq, epoch and nonce")
def chain_seq_epoch_and_nonce() -> list[Change]:
    return loose_reader(lambda r, e: True)


@mutant("R2 and T2: a frame counts whatever its prev, and a claim is known by its owner's name")
def chain_and_nonce_of_the_claim() -> list[Change]:
    claim, read = JournalWriter.claim, JournalWriter.read

    def claiming(self: Any, nonce: str, owner: str, *more: Any) -> bytes:
        self.owner = owner
        return claim(self, nonce, owner, *more)

    def reading(self: Any, offset: int, value: bytes) -> Any:
        envelope = envelope_of(value)
        if (
            self.state is State.CLAIMING
            and envelope is not None
            and envelope.is_claim
            and decode_claim(body_of(value)).owner == self.owner
        ):
            self._claim_nonce = envelope.nonce.decode()
        return read(self, offset, value)

    chainless = loose_reader(
        lambda r, e: (e.epoch, e.nonce, e.seq) == (b"%d" % r.epoch, r.nonce.encode(), b"%d" % (r.seq + 1))
    )
    return [*chainless, (JournalWriter, "claim", claiming), (JournalWriter, "read", reading)]


@mutant("T2: the report of a claim makes its writer the owner, without reading up to it")
def reread() -> list[Change]:
    claim = JournalWriter.claim

    def claiming(self: Any, *fields: Any) -> bytes:
        self.claim_value = claim(self, *fields)
        return self.claim_value

    def claim_reported(self: Any, report: Any) -> Any:
        if self.state is State.CLAIMING and isinstance(report, int) and report >= self.reader.position:
            return self._read_replaying(report, self.claim_value)
        return PASSED

    return [(JournalWriter, "claim", claiming), (JournalWriter, "claim_reported", claim_reported)]


@mutant("K1: a report of any offset acknowledges")
def offset() -> list[Change]:
    reported = JournalWriter.reported

    def at_any_offset(self: Any, frame: Any, report: Any) -> Any:
        if isinstance(report, int) and self.state is State.SERVING and self._pending and self._pending[0] is frame:
            return self._acknowledge(report)
        return reported(self, frame, report)

    return [(JournalWriter, "reported", at_any_offset)]


@mutant("K2: an own frame that is read back is acknowledged, valid or not")
def verdict() -> list[Change]:
    read = JournalWriter._read_serving

    def reading(self: Any, offset: int, value: bytes) -> Any:
        own = [frame for frame in self._pending if frame.value == value]
        if offset < self.reader.position or not own:
            return read(self, offset, value)
        acknowledged = []
        while not acknowledged or acknowledged[-1][0] is not own[0]:
            frame = self._pending.popleft()
            self.reader.take_frame(offset, frame.value, frame.head)
            acknowledged.append((frame, offset))
        return Acknowledged(tuple(acknowledged))

    return [(JournalWriter, "_read_serving", reading)]


@mutant("FAIL: after a failed append the writer goes on in its epoch, without another claim")
def fail_stop() -> list[Change]:
    failed = ShardExecutor._failed

    def going_on(self: Any, effect: Any) -> None:
        writer = self._writer
        if not isinstance(effect, Failed) or self.mode is not Mode.SERVING:
            failed(self, effect)
            return
        self._producer.abandon(self._limits.abandon_deadline_ms)
        known, waiting = self._core.roll_back()
        self._answers.deliver(known, -1)
        self._queue.take_back(waiting)
        writer.abandoned()
        writer.state, writer._seq, writer._head = State.SERVING, writer.reader.seq, writer.reader.head_bytes
        self._producer.begin()

    return [(ShardExecutor, "_failed", going_on)]


@mutant("R5: readers see records that are not committed")
def committed() -> list[Change]:
    return [(Partition, "visible", property(lambda self: len(self.values)))]


@mutant("K1: a command is answered when its frame is appended, at the place where it is expected")
def acknowledged_before_append() -> list[Change]:
    make, acknowledge = ShardExecutor.__init__, ExecutorCore.acknowledge

    def making(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        append = self._producer.append

        def appending(value: bytes, frame: Any, now_ms: float) -> None:
            if frame is not None:
                draft = self._core._pending[-1]
                self._answers.deliver(draft.answers, self._writer.reader.position + len(self._core._pending) - 1)
                draft.answers = []
            append(value, frame, now_ms)

        self._producer.append = appending

    return [(ShardExecutor, "__init__", making), (ExecutorCore, "acknowledge", acknowledge)]
