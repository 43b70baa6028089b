"""The engine with one rule taken out, in this process and for a while: what the simulation must notice.

Each mutant replaces functions of the running engine; no file is changed. `rule` says what is gone, in the words of the
protocol where it is one of its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec

from shardlog.adapters.memory import projections as memory_projections
from shardlog.executor import carried, decider, entries, queue, repeats, replay
from shardlog.executor.core import ExecutorCore
from shardlog.executor.draft import AcceptedAnswer, Draft
from shardlog.executor.entries import Entries
from shardlog.executor.held import HeldStreams
from shardlog.executor.inputs import ShardInputs
from shardlog.executor.mode import Mode
from shardlog.executor.queue import RequestQueue
from shardlog.executor.reading import found
from shardlog.executor.registry import BUCKET_MASK, Slot
from shardlog.executor.requests import Read
from shardlog.executor.sends import Arrival, Outbox, arrival
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.snapshotting import Snapshotting
from shardlog.executor.state import ShardState
from shardlog.executor.transaction import LoadedStream
from shardlog.executor.window import RequestWindow, window_key
from shardlog.journal.effects import PASSED, Acknowledged, Failed
from shardlog.journal.envelope import body_of, envelope_of
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import decode_claim
from shardlog.journal.states import State
from shardlog.journal.writer import JournalWriter
from shardlog.model.outcomes import CommandAccepted
from shardlog.ports.checkpoints import Checkpoint
from shardlog.projector import core as projector_core
from shardlog.relay import reading as relay_reading
from shardlog.relay.held import Held
from shardlog.relay.source import Source
from shardlog.snapshots import reading
from shardlog.testing.simulation.broker import Partition
from shardlog.testing.simulation.projecting import UnkindStore
from shardlog.testing.simulation.runner import Failure, run_seed

Change = tuple[Any, str, Any]
"""Where, which name, and what stands there instead."""


class Mutant(NamedTuple):
    """A rule that is taken out."""

    name: str
    rule: str
    changes: Callable[[], list[Change]]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The rule is gone meanwhile."""
        with ExitStack() as stack:
            for target, name, instead in self.changes():
                stack.enter_context(patch.object(target, name, instead))
            yield


MUTANTS: list[Mutant] = []


def mutant(rule: str) -> Callable[[Callable[[], list[Change]]], Callable[[], list[Change]]]:
    """Register a function that gives the changes of a mutant."""

    def register(function: Callable[[], list[Change]]) -> Callable[[], list[Change]]:
        MUTANTS.append(Mutant(function.__name__, rule, function))
        return function

    return register


def _loose_reader(takes: Callable[[Reader, Any], bool]) -> list[Change]:
    """A reader that takes a frame of its journal and shard for valid where `takes` says so."""
    judge = Reader.judge

    def is_next(self: Reader, value: bytes) -> bool:
        envelope = envelope_of(value)
        is_frame = envelope is not None and not envelope.is_claim
        return is_frame and self.epoch > 0 and takes(self, envelope)

    def loose_judge(self: Reader, offset: int, value: bytes) -> Any:
        return FrameTaken(body_of(value)) if is_next(self, value) else judge(self, offset, value)

    return [(Reader, "is_next", is_next), (Reader, "judge", loose_judge)]


class _LooseReader(Reader):
    """Takes every frame for valid."""

    def judge(self, offset: int, value: bytes) -> Any:
        envelope = envelope_of(value)
        if envelope is not None and not envelope.is_claim and self.epoch:
            return FrameTaken(body_of(value))
        return super().judge(offset, value)


# -- the journal -------------------------------------------------------------------------------------------------------


@mutant("R2: a frame counts whatever its prev and seq")
def chain_and_seq() -> list[Change]:
    return _loose_reader(lambda r, e: (e.epoch, e.nonce) == (b"%d" % r.epoch, r.nonce.encode()))


@mutant("R2: a frame counts whatever its prev, epoch and nonce")
def chain_epoch_and_nonce() -> list[Change]:
    return _loose_reader(lambda r, e: e.seq == b"%d" % (r.seq + 1))


@mutant("R2: a frame counts whatever its prev, seq, epoch and nonce")
def chain_seq_epoch_and_nonce() -> list[Change]:
    return _loose_reader(lambda r, e: True)


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

    chainless = _loose_reader(
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


# -- repeats -----------------------------------------------------------------------------------------------------------


@mutant("D2: a repeat of a pending command is answered from the speculative state")
def wait() -> list[Change]:
    build = ExecutorCore.build
    is_answered = repeats.Repeats.is_answered

    def building(self: Any, *fields: Any, **more: Any) -> Any:
        self._decider._repeats.core = self
        return build(self, *fields, **more)

    def at_once(self: Any, request: Any, key: bytes, issued: int | None, draft: Draft) -> bool:
        for place, pending in enumerate(self._pending):
            for answer in pending.answers if key in pending.keys else ():
                is_first = isinstance(answer, AcceptedAnswer)
                if is_first and answer.request.record.command_id == request.record.command_id:
                    shard = self.core.shard
                    token = f"{shard.journal}.{shard.number}.{self.core.next + place}.{answer.last_index}"
                    outcome = CommandAccepted(answer.events, answer.version, token)
                    request.sink.deliver([(request.ticket, outcome)])
                    return True
        return is_answered(self, request, key, issued, draft)

    serve = ShardExecutor._serve

    def serving(self: Any) -> bool:
        self._core.next = self._writer.reader.position
        return serve(self)

    return [
        (ExecutorCore, "build", building),
        (repeats.Repeats, "is_answered", at_once),
        (ShardExecutor, "_serve", serving),
    ]


@mutant("K3: a stream is read at once, frames that are not acknowledged included")
def reads() -> list[Change]:
    waiting = decider.Decider.waiting

    def at_once(self: Any, request: Any) -> None:
        if isinstance(request, Read):
            state = found(self._state.registry, self._shard, request.category, request.id)
            request.sink.deliver([(request.ticket, state)])
        else:
            waiting(self, request)

    return [(decider.Decider, "waiting", at_once)]


@mutant("D2: an id older than the window is not refused")
def floor() -> list[Change]:
    return [(RequestWindow, "is_expired", lambda self, time_in_id, frame_time: False)]


@mutant("D5: an id leaves the window by the time of its frame, whatever the time in it")
def time_in_id() -> list[Change]:
    settle = entries.Entries._settle

    def settling(self: Any, decision: Any, *rest: Any) -> None:
        decision.issued = None
        settle(self, decision, *rest)

    return [(entries.Entries, "_settle", settling), (replay, "time_in_id", lambda command_id: None)]


@mutant("D1: a replay does not fill the window of command ids")
def window_of_replay() -> list[Change]:
    beside = replay.Replay._beside

    def without_ids(self: Any, entry: Any, *place: Any) -> int:
        if entry.origin is None and entry.channel != "kafka":
            entry = msgspec.structs.replace(entry, channel="feeder")
        return beside(self, entry, *place)

    return [(replay.Replay, "_beside", without_ids)]


@mutant("engine: the window's key is the command id alone, without its scope")
def scope() -> list[Change]:
    def without_scope(tenant: str, category: str, id: str, command_id: str) -> bytes:
        return window_key("", "", "", command_id)

    return [(decider, "window_key", without_scope), (replay, "window_key", without_scope)]


@mutant("D6: the same id with another payload is taken for a repeat")
def payload_check() -> list[Change]:
    return [(repeats, "payload_check", lambda record: _Anything())]


class _Anything:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@mutant("F3: a request of unknown fate is decided anew, however long it has waited")
def late_decisions() -> list[Change]:
    return [(RequestQueue, "expire", lambda self, now: None)]


@mutant("F1: a request whose frame may yet land is answered as not applied")
def unknown_fate() -> list[Change]:
    def unknown(self: Any, requests: Any, why: str) -> None:
        for request in requests:
            self.unavailable(request, why)

    return [(queue.RequestQueue, "unknown", unknown)]


# -- state -------------------------------------------------------------------------------------------------------------


@mutant("F2: streams are not rolled back")
def roll_back_of_streams() -> list[Change]:
    return [(Draft, "undo_writes", lambda self: None)]


@mutant("F2: inputs, sends and time are not rolled back")
def roll_back_of_small_state() -> list[Change]:
    return [(ShardState, "restore", lambda self, before: None)]


@mutant("engine: a rejected transaction's events change the state")
def rejected_events() -> list[Change]:
    append = LoadedStream.append

    def appending(self: Any, events: Any, /) -> None:
        append(self, events)
        self.category.buckets[hash(self.id) & BUCKET_MASK][self.id] = Slot(self.version, self.state)

    return [(LoadedStream, "append", appending)]


@mutant("D1: a frame's time is the clock's, though the frame before it may be later")
def frame_time() -> list[Change]:
    build = ExecutorCore.build

    def building(self: Any, requests: Any, batches: Any, now: int, *more: Any, **others: Any) -> Any:
        self.state.time = min(self.state.time, now)
        return build(self, requests, batches, now, *more, **others)

    return [(ExecutorCore, "build", building)]


# -- inputs and sends --------------------------------------------------------------------------------------------------


@mutant("T4: an input goes on from where its consumer stands, not from the replayed offset")
def replayed_offsets() -> list[Change]:
    read = ShardInputs.read

    def reading(self: Any, settled: Any, limit: int, now_ms: float) -> Any:
        stands = self.__dict__.setdefault("stands", {})
        offsets = {name: max(settled.get(name, 0), stands.get(name, 0)) for name in (i.name for i in self.all)}
        batches = read(self, offsets, limit, now_ms)
        for batch in batches:
            stands[batch.input] = batch.records[-1][0] + 1
        return batches

    return [(ShardInputs, "read", reading)]


@mutant("D3: a send that was taken before is taken again")
def repeats_of_sends() -> list[Change]:
    def always_new(origin: Any, last: Any) -> Arrival:
        found = arrival(origin, last)
        return Arrival.NEW if found is Arrival.REPEAT else found

    return [(carried, "arrival", always_new)]


@mutant("D3: a send behind a gap is taken")
def gaps_of_sends() -> list[Change]:
    def no_gap(origin: Any, last: Any) -> Arrival:
        found = arrival(origin, last)
        return Arrival.NEW if found is Arrival.GAP else found

    return [(carried, "arrival", no_gap)]


@mutant("D3: a send does not name the one before it in the same entry or an earlier one")
def previous_of_sends() -> list[Change]:
    place = Outbox.place

    def nameless(self: Any, target: int) -> Any:
        place(self, target)

    return [(Outbox, "place", nameless)]


@mutant("D3: a process manager does not hear that its command was refused")
def rejections_heard() -> list[Change]:
    return [(Entries, "_tell_manager", lambda self, decision, rejection: None)]


# -- snapshots and relay -----------------------------------------------------------------------------------------------


@mutant("S1: a snapshot holds frames that are not acknowledged")
def speculative_snapshot() -> list[Change]:
    hold = Snapshotting._hold

    def at_once(self: Any) -> None:
        hold(self)
        if self._core.pending:
            self._write()

    return [(Snapshotting, "_hold", at_once)]


@mutant("S1: a snapshot holds no command ids")
def ids_in_snapshots() -> list[Change]:
    return [(RequestWindow, "frozen", lambda self: [])]


@mutant("S1: a snapshot does not say what was received from other shards")
def received_in_snapshots() -> list[Change]:
    return [_without(received={})]


@mutant("S1: a snapshot does not say how far inputs are settled")
def inputs_in_snapshots() -> list[Change]:
    return [_without(inputs={})]


def _without(**fields: Any) -> Change:
    about = Snapshotting._about
    return Snapshotting, "_about", lambda self, small: msgspec.structs.replace(about(self, small), **fields)


@mutant("engine: a write does not note what it overwrites while a snapshot is being written")
def held_streams() -> list[Change]:
    init = HeldStreams.__init__

    def unmarked(self: Any, buckets: Any, is_held: bool = True) -> None:
        init(self, buckets, is_held)
        self.marks = bytearray(len(buckets))

    return [(HeldStreams, "__init__", unmarked)]


@mutant("S3: a damaged snapshot is loaded")
def checksums() -> list[Change]:
    return [(reading, "checksum", lambda data: _Anything()), (reading, "digest_text", lambda total: _Anything())]


@mutant("S1: a recovery passes over the record behind a snapshot")
def snapshot_position() -> list[Change]:
    about = Snapshotting._about

    def moved(self: Any, small: Any) -> Any:
        found = about(self, small)
        return msgspec.structs.replace(found, next=found.next + 1)

    return [(Snapshotting, "_about", moved)]


@mutant("C3: the relay's checkpoint passes sends that are not received")
def relay_checkpoint() -> list[Change]:
    return [(Source, "checkpoint", property(lambda self: Checkpoint(*self._reader.state)))]


@mutant("D3: the relay forgets a send once it was offered")
def relay_resends() -> list[Change]:
    waiting = Held.waiting

    def once(self: Any, target: int, received: Any, limit: int) -> Any:
        found = waiting(self, target, received, limit)
        self._queues[target].clear()
        return found

    return [(Held, "waiting", once)]


@mutant("R3: the relay carries sends of frames that do not count")
def relayed_verdict() -> list[Change]:
    return [(relay_reading, "Reader", _LooseReader)]


# -- projections -------------------------------------------------------------------------------------------------------


@mutant("C1: rows and checkpoint are written in two transactions")
def one_transaction() -> list[Change]:
    def write(self: Any, batch: Any, *, keep: bool = True) -> None:
        self._crashes.reach("before a projection's transaction")
        self._may_be_unavailable("nothing was written")
        self._store.write(batch._replace(moves=()), keep=keep)
        self._crashes.reach("between two transactions")
        self._may_be_unavailable("the answer was lost")
        self._store.write(batch._replace(tables=(), letters=()), keep=keep)

    return [(UnkindStore, "write", write)]


@mutant("C1: a checkpoint is moved from wherever it stands")
def compared_checkpoint() -> list[Change]:
    return [(memory_projections, "_where", lambda checkpoint: None)]


@mutant("R3: a projection takes frames that do not count")
def projected_verdict() -> list[Change]:
    return [(projector_core, "Reader", _LooseReader)]


# -- catching them -----------------------------------------------------------------------------------------------------


class Caught(NamedTuple):
    """How a mutant was caught. seeds: how many runs it took, from seed 0 on."""

    seeds: int
    failure: Failure


def mutant_named(name: str) -> Mutant:
    """The mutant of this name."""
    return next(mutant for mutant in MUTANTS if mutant.name == name)


def seeds_to_catch(mutant: Mutant, seeds_max: int) -> Caught | None:
    """Run seeds from 0 on until one notices; None where none does."""
    with mutant.applied():
        for seed in range(seeds_max):
            result = run_seed(seed)
            if isinstance(result, Failure):
                return Caught(seed + 1, result)
    return None


def table(seeds_max: int) -> Iterator[str]:
    """The mutants as a table for the documentation, row by row."""
    yield "| mutant | what is taken out | seeds |"
    yield "|---|---|---|"
    for mutant in MUTANTS:
        caught = seeds_to_catch(mutant, seeds_max)
        yield f"| `{mutant.name}` | {mutant.rule} | {'none' if caught is None else caught.seeds} |"


if __name__ == "__main__":
    for row in table(1_000):
        print(row, flush=True)
