"""One shard served: recovery, claim, frames, acknowledgements, failure and takeover, step by step.

It joins the core (what to write), the journal's writer (when it counts) and the port (where it goes). It has no
thread and no clock of its own: a thread or a simulation calls `step`, and reports of appends come in from anywhere.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from shardlog.errors import (
    AppendFailed,
    ConfigurationError,
    HistoryMissing,
    JournalError,
    JournalRefused,
    JournalUnavailable,
    Truncated,
)
from shardlog.executor.answers import Answers
from shardlog.executor.back_off import BackOff
from shardlog.executor.clock import World
from shardlog.executor.core import ExecutorCore
from shardlog.executor.figures import shard_figures
from shardlog.executor.gathering import Gathering
from shardlog.executor.inputs import ShardInputs
from shardlog.executor.mode import Claimant, Mode
from shardlog.executor.producer import Producer
from shardlog.executor.queue import RequestQueue
from shardlog.executor.replay import Replay as FrameReplay
from shardlog.executor.requests import Waiting
from shardlog.executor.snapshotting import Snapshotting
from shardlog.journal.effects import Acknowledged, ClaimLost, Effect, Failed, Fenced, Owner, Passed, ReadBack, Replay
from shardlog.journal.envelope import body_of
from shardlog.journal.writer import JournalWriter
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.ports.sends import At, SendsSource
from shardlog.snapshots.keys import SnapshotKey
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import ShardFigures

log = logging.getLogger("shardlog.executor")
TRANSIENT = frozenset({JournalError, JournalUnavailable, JournalRefused, AppendFailed})
"""Faults of a journal that was served before and may pass: the shard backs off. All others need somebody."""


_NOT_SERVED = frozenset({Mode.REPLAYING, Mode.CLAIMING, Mode.BACKING_OFF})


class ShardExecutor:
    """One shard of the journal. `step` is called by one thread at a time; `submit` and reports come from any.

    owned_epoch: of the own claim while it holds; 0 before, after a failure, and once it has stopped. has_served:
    whether it ever held one. error: what stopped it, where it did not stop by itself. unsettled: once it has stopped,
    how many commands it had taken whose outcome it did not learn. is_assigned: whether this owner should have the
    shard, as it was looked at since a time of the world's monotonic clock, in milliseconds; None where nobody has
    looked since.
    """

    def __init__(
        self,
        core: ExecutorCore,
        journal: Journal,
        writer: JournalWriter,
        owner: Claimant,
        world: World,
        inputs: Sequence[Input] = (),
        accepted_inputs: Sequence[str] = (),
        is_assigned: Callable[[float], bool | None] = lambda _since_ms: True,
        sends: SendsSource | None = None,
        snapshots: Snapshotting | None = None,
    ) -> None:
        self.number = core.shard.number
        self.mode = Mode.REPLAYING
        self.error: BaseException | None = None
        self.owned_epoch = 0
        self.has_served = False
        self.unsettled = 0
        self._core = core
        self._counts = core.counts
        self._limits = core.limits
        self._journal = journal
        self._writer = writer
        self._owner = owner
        self._world = world
        self._inputs = ShardInputs(self.number, inputs, accepted_inputs, self._limits.back_off_max_ms)
        self._snapshots = snapshots
        self._is_assigned = is_assigned
        self._replay = FrameReplay(core.state, core.shard.journal, self.number)
        self._answers = Answers(core.state, self._replay, core.shard, self._body_at)
        self._queue = RequestQueue(self.number, self._limits)
        self._gathering = Gathering(core, self._queue, self._inputs, sends)
        self._producer = Producer(journal, self.number)
        self._deadline_ms = 0.0
        self._failed_ms = -math.inf
        self._back_off_after = BackOff(self._limits)
        self._in_doubt = 0
        self._told = ""
        self._is_draining = False
        self._steps = {
            Mode.REPLAYING: self._recover,
            Mode.CLAIMING: self._await_claim,
            Mode.SERVING: self._serve,
            Mode.BACKING_OFF: self._back_off,
        }

    # -- from outside --------------------------------------------------------------------------------------------------
    def on_report(self, wake: Callable[[], None]) -> None:
        """Call this when a report has come in. From any thread."""
        self._producer.wake = wake

    def on_arrival(self, arrived: Callable[[], None]) -> None:
        """Call this when an input that had no records has some. From any thread."""
        for input in self._inputs.all:
            input.on_arrival(arrived)

    def submit(self, request: Waiting) -> None:
        """Queue a command or a read; `unavailable` where the queue is full, the shard drains or has stopped."""
        if self._is_draining or self._has_stopped():
            why = "this shard is not served here any more" if self.error is None else str(self.error)
            self._queue.unavailable(request, why)
            return
        self._queue.put(request)
        if self._has_stopped():  # in between, and nobody else will look at the queue
            self._queue.refuse_all("it stopped")

    def _has_stopped(self) -> bool:
        return self.mode is Mode.STOPPED

    def snapshot(self) -> Future[SnapshotKey]:
        """Want a snapshot of at least what is acknowledged now. From any thread; no command waits for it.

        The future fails with SnapshotFailed. Raises ConfigurationError where there is no store for snapshots.
        """
        if self._snapshots is None:
            raise ConfigurationError(f"shard {self.number} has no object store for snapshots: configure one")
        asked = self._snapshots.ask()
        self._producer.wake()
        return asked

    def drain(self) -> None:
        """Take no more; what was taken is finished, and then the shard stops.

        One that does not serve now stops at once where nobody waits for an answer, and claims for those who do.
        """
        self._is_draining = True

    def fail_for_good(self, error: BaseException) -> None:
        """Stop: the journal or the code needs somebody. Nothing is lost; waiting requests are answered."""
        if self.error is None:
            self.error = error
            if self.has_served:  # before that, whoever starts it raises the error
                log.error("shard %d stopped: %s", self.number, error, extra=self.log_fields)
        self._stop()

    def close(self) -> None:
        """Let go of the producer; what is on its way is answered as unknown."""
        if self.mode is not Mode.STOPPED:
            self._stop()

    def _stop(self) -> None:
        self.mode, self.owned_epoch = Mode.STOPPED, 0
        self._producer.abandon(self._limits.abandon_deadline_ms)
        self._inputs.release()
        if self._snapshots is not None:
            self._snapshots.stop()
        why = "it stopped" if self.error is None else f"it stopped: {self.error}"
        under_way = self._core.pending_commands
        known, waiting = self._core.roll_back()
        self.unsettled += self._in_doubt + max(under_way, len(waiting)) + len(self._queue)
        self._in_doubt = 0
        self._answers.deliver(known, -1)
        self._queue.unknown(waiting, why)
        self._queue.refuse_all(why)

    @property
    def epoch(self) -> int:
        """The epoch of the newest valid claim that was read; the own one while it serves."""
        return self._writer.reader.epoch

    @property
    def frames(self) -> int:
        """How many frames were acknowledged since this started."""
        return self._counts.acknowledged_frames

    def figures(self) -> ShardFigures:
        """What it shows of itself to metrics. May be called from any thread."""
        return shard_figures(self.mode, self._core, self._writer, self._queue, self._inputs, self._snapshots)

    @property
    def log_fields(self) -> Fields:
        """What log lines that speak of this shard carry."""
        reader = self._writer.reader
        return {"journal": reader.journal, "shard": self.number, "epoch": reader.epoch}

    def settled(self, input: str) -> int:
        """The first offset of this input that acknowledged frames do not settle."""
        return self._core.settled.get(input, 0)

    @property
    def input_errors(self) -> Mapping[str, str]:
        """By input, why it could not be read when it was asked last; those that can are not in it."""
        return self._inputs.errors

    @property
    def received(self) -> Mapping[int, At]:
        """By source shard, the last send that acknowledged frames have taken. May be called from any thread."""
        return self._core.received

    @property
    def failing(self) -> str | None:
        """Why appends have failed again and again, where they have; None otherwise."""
        return self._writer.reason if self._fails_again_and_again else None

    @property
    def _fails_again_and_again(self) -> bool:
        return self._back_off_after.failures >= self._limits.unsettled_failures_max

    @property
    def has_work(self) -> bool:
        """Whether a step would find something new in its queues."""
        if self.mode is Mode.STOPPED:
            return False
        return self._producer.has_reports or (
            self._writer.can_build and self._gathering.is_worth_a_frame(len(self._queue))
        )

    def step(self) -> bool:
        """Do what can be done now; True where anything was."""
        if self.mode is Mode.STOPPED:
            return False
        try:
            moved = self._producer.has_reports and self._take_reports()
            if self._is_given_up:
                self._stop()
                return True
            return (not self._has_stopped() and self._steps[self.mode]()) or moved
        except (JournalError, JournalRefused) as error:
            if type(error) not in TRANSIENT or not self.has_served:
                raise
            self._failed(self._writer.fail(str(error)))
            return True

    # -- recovery, claim, back-off -------------------------------------------------------------------------------------
    def _recover(self) -> bool:
        """T1: replay to the end as known, then claim with a fresh producer and a fresh nonce.

        A host whose clock is behind (rule D4) does not claim, and so takes the shard from nobody. Raises ClockBehind.
        Raises HistoryMissing where neither journal nor snapshots reach back to the beginning.

        One that was fenced, or failed, waits until somebody has looked again whose the shard should be: a process that
        was paused would take it back from who was told to have it.
        """
        if self._is_assigned(self._failed_ms) is None:
            return False
        self._counts.recovering(self._world.monotonic_ms(), self._journal.offsets(self.number)[1])
        self._producer.begin()  # it may take a while until it can append: that goes by beside the replay
        if self._snapshots is not None and self._writer.reader.position == 0:
            self._snapshots.load(self._journal)
        try:
            self._read_log()
        except Truncated as error:
            raise self._history_missing(error) from error
        if self._has_stopped():  # by whoever ends the process, while this waited for a broker
            self._producer.abandon(self._limits.abandon_deadline_ms)
            return True
        if self._is_given_up:
            self._stop()
            return True
        self._core.check_clock(self._world.now_us())
        if self._is_assigned(-math.inf) is False:
            self._producer.abandon(self._limits.abandon_deadline_ms)
            self._hand_over([])
            return True
        owner, nonce = self._owner, self._world.nonce()
        value = self._writer.claim(
            nonce,
            owner.name,
            owner.address,
            owner.assignment,
            max(self._world.now_us(), self._core.state.time),
            owner.build,
        )
        self.mode = Mode.CLAIMING
        self._deadline_ms = self._world.monotonic_ms() + self._limits.claim_deadline_ms
        self._counts.claims_appended += 1
        self._producer.append(value, None, self._world.monotonic_ms())
        return True

    @property
    def _is_given_up(self) -> bool:
        """Whether it is to stop while it does not serve: nobody waits for what it would have to claim for."""
        return self._is_draining and self.mode in _NOT_SERVED and not (self.has_served and len(self._queue))

    def _history_missing(self, error: Truncated) -> HistoryMissing:
        refused = [] if self._snapshots is None else self._snapshots.refused
        return HistoryMissing(
            f"shard {self.number}: the journal begins at offset {error.earliest}, and offsets {error.start} to "
            f"{error.earliest - 1} stand in no usable snapshot ({'; '.join(refused) or 'there is none'}): restore one, "
            "or the beginning of the journal; nothing was served"
        )

    def _await_claim(self) -> bool:
        """T2, T3: read until the own claim comes by, or until the deadline."""
        self._read_log()
        if self.mode is Mode.CLAIMING and self._world.monotonic_ms() > self._deadline_ms:
            self._apply(self._writer.deadline_passed())
        return self.mode is not Mode.CLAIMING

    def _back_off(self) -> bool:
        if self._world.monotonic_ms() < self._deadline_ms:
            return False
        self.mode = Mode.REPLAYING
        return True

    def _owned(self) -> None:
        """T4: the claim is valid; inputs go on from the replayed offsets."""
        self._core.claimed(self._writer.reader.epoch, self._writer.reader.nonce, self._world.now_us())
        self._inputs.check_incarnations(self._core.state.inputs)
        self._counts.owned(self._world.monotonic_ms())
        log.info(
            "shard %d: served here, from epoch %d on", self.number, self._writer.reader.epoch, extra=self.log_fields
        )
        self.has_served = True
        self._in_doubt, self._told = 0, ""
        self.mode, self.owned_epoch = Mode.SERVING, self._writer.reader.epoch

    # -- serving -------------------------------------------------------------------------------------------------------
    def _serve(self) -> bool:
        if self._writer.is_reading_back:
            self._read_log()
        now_ms = self._world.monotonic_ms()
        if self._producer.is_overdue(now_ms, self._limits.append_deadline_ms):
            self._apply(self._writer.deadline_passed())
            return True
        if self.mode is not Mode.SERVING:
            return False
        if self._snapshots is not None:
            self._snapshots.step()
        if not self._writer.can_build:
            return False
        state = self._core.state
        self._queue.expire(max(state.time, self._world.now_us()))
        found = self._gathering.look(now_ms, takes_more=not self._is_draining)
        if self._has_stopped():  # by whoever ends the process, while an input waited for somebody
            return False
        if not self._gathering.is_worth_a_frame(found.waiting):
            if self._is_draining and not (found.waiting or self._core.pending):
                self._stop()
            return False
        now_us, seq = self._world.now_us(), self._writer.next_seq
        draft = self._core.build(self._queue.first, found.batches, now_us, seq, found.sends)
        unbound = self._core.unbound_answers()
        if unbound:
            self._answers.deliver(unbound, -1)
        if draft is not None:
            frame = self._writer.frame(*draft.body())
            self._producer.append(frame.value, frame, now_ms)
            self._counts.appended(len(frame.value), draft.commands)
        return True

    # -- what the log says ---------------------------------------------------------------------------------------------
    def _take_reports(self) -> bool:
        for frame, report in self._producer.reports():
            if frame is None:
                self._apply(self._writer.claim_reported(report))
            else:
                self._apply(self._writer.reported(frame, report))
            if self._has_stopped():
                break
        return True

    def _read_log(self) -> None:
        """Pass over what the log holds from the own position to the end known now."""
        for offset, value in self._journal.read(self.number, self._writer.reader.position):
            self._apply(self._writer.read(offset, value))
            if self.mode is Mode.BACKING_OFF or self.mode is Mode.STOPPED or self._is_given_up:
                return
        self._apply(self._writer.read_back_ended())

    def _apply(self, effect: Effect) -> None:
        """Do what the journal's writer says."""
        if self._has_stopped():
            return  # whoever ends the process has stopped it, while this waited for a broker
        kind = type(effect)
        if kind is Passed or kind is ReadBack:
            return  # reading back is asked for by the writer's state, at each step
        if isinstance(effect, Replay):
            self._replay.apply(effect.offset, effect.body, effect.epoch, effect.seq)
            self._counts.replayed_frames += 1
            if self._snapshots is not None:
                self._snapshots.passed(len(effect.body))
        elif isinstance(effect, Acknowledged):
            for frame, offset in effect.frames:
                appended_ms = self._producer.acknowledged()
                self._counts.acknowledged(self._world.monotonic_ms() - appended_ms)
                self._back_off_after.acknowledged()
                answers = self._core.acknowledge(offset)
                if self._snapshots is not None:
                    self._snapshots.acknowledged(len(frame.value))
                self._answers.deliver(answers, offset)
        elif isinstance(effect, Owner):
            self._owned()
        else:
            self._failed(effect)

    # -- failure -------------------------------------------------------------------------------------------------------
    def _failed(self, effect: Effect) -> None:
        """F1 to F4: abandon the producer, go back to the acknowledged state, wait, begin again with a claim."""
        self.owned_epoch = 0
        self._counts.failed(isinstance(effect, Fenced), isinstance(effect, ClaimLost))
        self._tell_failure()
        self._producer.abandon(self._limits.abandon_deadline_ms)
        if self._snapshots is not None:
            self._snapshots.failing()
        under_way = self._core.pending_commands
        known, waiting = self._core.roll_back()
        self._in_doubt += max(under_way - len(waiting), 0)  # those who wait are counted where they do
        self._answers.deliver(known, -1)
        self._writer.abandoned()
        if isinstance(effect, Failed):
            wait_ms = self._back_off_after.failed()
        else:
            wait_ms = self._back_off_after.lost(self._world.monotonic_ms())
        self._failed_ms = self._world.monotonic_ms()
        if self._is_assigned(-math.inf) is False:
            self._hand_over(waiting)
            return
        self._queue.take_back(waiting)
        if self._fails_again_and_again and isinstance(effect, Failed):
            self._queue.refuse_all(f"the journal takes no appends ({self._writer.reason})")
        self.mode = Mode.BACKING_OFF
        self._deadline_ms = self._world.monotonic_ms() + wait_ms

    def _tell_failure(self) -> None:
        """Once for each reason until it serves again: brokers that are away are met again and again."""
        reason = self._writer.reason
        if reason != self._told:
            self._told = reason
            text = "shard %d: %s; pending frames: %d"
            log.warning(text, self.number, reason, self._core.pending, extra=self.log_fields)

    def _hand_over(self, waiting: Sequence[Waiting]) -> None:
        """The assignment names another owner: claim no more (rules T3, F2, F4)."""
        self.mode = Mode.STOPPED
        self._inputs.release()
        if self._snapshots is not None:
            self._snapshots.stop()
        self._queue.unknown(waiting, "another process owns it")
        self._queue.refuse_all("another process owns it")

    def _body_at(self, offset: int) -> memoryview:
        """The body of the valid frame at this offset."""
        for found, value in self._journal.read(self.number, offset):
            if found == offset:
                return body_of(value)
            break
        raise Truncated(self.number, offset, self._journal.offsets(self.number)[0])
