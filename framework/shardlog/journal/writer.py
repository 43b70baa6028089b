"""The one writer of a shard: claim, frames, acknowledgement, failure, as a state machine without I/O.

It hands out values to append and is told what was reported and what stands in the log; it answers with effects. A frame
is acknowledged when the reader's own rule finds it valid, and for no other reason.
"""

from __future__ import annotations

from collections import deque

from shardlog.codec.json import NOT_DECODED
from shardlog.errors import AppendFailed
from shardlog.journal.chain import next_head
from shardlog.journal.effects import (
    PASSED,
    Acknowledged,
    ClaimLost,
    Effect,
    Failed,
    Fenced,
    Owner,
    PendingFrame,
    ReadBack,
    Replay,
)
from shardlog.journal.envelope import claim_value, frame_value
from shardlog.journal.reader import ClaimTaken, FrameTaken, Reader
from shardlog.journal.records import ClaimBody, decode_claim, encode_claim
from shardlog.journal.states import ProtocolMisuse, State, Step, after
from shardlog.ports.journal import Report

PENDING_MAX = 4


class JournalWriter:
    """A writer beside its reader. Not for several threads.

    reader: the acknowledged state, never ahead of it. state: see `shardlog.journal.states`. reason: why it failed last.
    """

    def __init__(self, reader: Reader, pending_max: int = PENDING_MAX) -> None:
        """pending_max: how many frames may wait for their acknowledgement, from 1 (rule A2)."""
        if pending_max < 1:
            raise ValueError(f"pending_max is at least 1, not {pending_max}")
        self.reader = reader
        self.state = State.REPLAYING
        self.reason = ""
        self._pending_max = pending_max
        self._pending: deque[PendingFrame] = deque()
        self._claim_nonce = ""
        self._seq = 0
        self._head = b""
        self._built = 0
        self._through = -1
        self._awaited: set[PendingFrame] = set()
        self._seen_invalid: set[PendingFrame] = set()
        self._read_again_from: int | None = None

    @property
    def pending(self) -> tuple[PendingFrame, ...]:
        """Frames built and not acknowledged, oldest first."""
        return tuple(self._pending)

    @property
    def next_seq(self) -> int:
        """The SEQ of the frame to be built next."""
        return self._seq + 1

    @property
    def is_reading_back(self) -> bool:
        """Whether the log must be read before anything is built (rule K2)."""
        return self.state is State.READING_BACK

    @property
    def can_build(self) -> bool:
        """Whether `frame` is allowed now."""
        return self.state is State.SERVING and len(self._pending) < self._pending_max

    # -- claim ---------------------------------------------------------------------------------------------------------
    def claim(self, nonce: str, owner: str, address: str, assignment: int, time: int, build: str) -> bytes:
        """The record that claims the shard for the next epoch (rule T1). To be appended by a fresh producer.

        nonce: 32 hex digits, never used before: the claim is known by it alone. time: microseconds since 1970 UTC.
        """
        reader = self.reader
        following = after(self.state, Step.CLAIM)
        body = encode_claim(ClaimBody(owner, address, assignment, time, build))
        value = claim_value(reader.journal, reader.shard, reader.shards, reader.epoch + 1, nonce, body)
        self._claim_nonce = nonce
        self.state = following
        return value

    def claim_reported(self, report: Report) -> Effect:
        """A report of the claim is no verdict (rule T2): reading decides, until the deadline.

        Failed only for an error that says that the claim never left this process, so that another can be made early.
        """
        if self.state is State.CLAIMING and isinstance(report, Exception) and not isinstance(report, AppendFailed):
            return self.fail(f"the claim was not sent: {report}")
        return PASSED

    # -- append --------------------------------------------------------------------------------------------------------
    def frame(self, *body: bytes) -> PendingFrame:
        """Build the next frame on the speculative head (rule A2). Raises ProtocolMisuse unless `can_build`.

        body: whole, or in pieces between which commas are to stand.
        """
        if self.state is not State.SERVING:
            raise ProtocolMisuse(f"a writer that is {self.state.value} builds no frames")
        if len(self._pending) >= self._pending_max:
            raise ProtocolMisuse(
                f"{len(self._pending)} frames are pending, and {self._pending_max} are allowed (pending_max)"
            )
        if not (body[0].startswith(b"[") and body[-1].endswith(b"]")):
            raise ProtocolMisuse(f"a frame's body is one array, not {body[0][:40]!r}")
        reader, prev, seq = self.reader, self._head.hex(), self._seq + 1
        value = frame_value(reader.frame_prefix, seq, prev, *body)
        self._head = next_head(self._head, value)
        self._seq = seq
        frame = PendingFrame(value, reader.epoch, seq, prev, self._built, self._head)
        self._built += 1
        self._pending.append(frame)
        return frame

    # -- acknowledge ---------------------------------------------------------------------------------------------------
    def reported(self, frame: PendingFrame, report: Report) -> Effect:
        """What the journal says of a frame's append. A report of a frame that is pending no more is passed over."""
        pending = self._pending
        if (
            report == self.reader.position
            and self.state is State.SERVING
            and pending
            and pending[0] is frame
            and not self._seen_invalid
            and self.reader.is_next(frame.value)
        ):
            return self._acknowledge(self.reader.position)  # K1
        if self.state not in (State.SERVING, State.READING_BACK) or frame not in pending:
            return PASSED
        if isinstance(report, Exception):
            return self.fail(f"frame {frame.seq} of epoch {frame.epoch}: {report}")
        return self._must_read(frame, report)  # K2

    def read_back_ended(self) -> Effect:
        """The log was read to the end known now.

        Passed: building goes on. ReadBack: not all is seen yet, read again. Failed: a pending frame stands invalid.
        """
        if self.state is not State.READING_BACK:
            return PASSED
        self._awaited.intersection_update(self._pending)
        self._seen_invalid.intersection_update(self._pending)
        if not self._awaited and not self._seen_invalid:
            self._through = -1
            self.state = after(self.state, Step.END_READ_BACK)
            return PASSED
        if self.reader.position <= self._through:
            return ReadBack(self.reader.position, self._through)
        if self._seen_invalid:
            seqs = ", ".join(str(frame.seq) for frame in self._pending if frame in self._seen_invalid)
            return self.fail(f"frame {seqs} of epoch {self.reader.epoch} stands in the log where it does not count")
        return ReadBack(self.reader.position, None)

    # -- what stands in the log ----------------------------------------------------------------------------------------
    def read(self, offset: int, value: bytes) -> Effect:
        """A record read from the log, in order, from the reader's position on.

        While serving, what was passed already is passed over again. Raises what Reader.pass_over raises, and the writer
        has failed then; ProtocolMisuse where it has failed and was not abandoned.
        """
        if self.state is State.FAILED or self.state is State.FENCED:
            raise ProtocolMisuse(f"a writer that is {self.state.value} reads nothing until it was abandoned")
        if self._read_again_from is not None:
            self._check_read_again(offset)
        try:
            if self.state is State.SERVING or self.state is State.READING_BACK:
                return self._read_serving(offset, value)
            return self._read_replaying(offset, value)
        except Exception as error:
            self.fail(str(error))
            raise

    # -- failure -------------------------------------------------------------------------------------------------------
    def deadline_passed(self) -> Effect:
        """The writer's own deadline: a claim was not seen (rule T3), or a frame not acknowledged (rule F1)."""
        if self.state is State.CLAIMING:
            return self.fail("the claim was not seen in the log by the deadline")
        if self._pending:
            return self.fail(
                f"frame {self._pending[0].seq} of epoch {self._pending[0].epoch} was not acknowledged in time"
            )
        return PASSED

    def fail(self, reason: str) -> Effect:
        """Build no more (rule F1). Pending frames are of unknown fate: they may land yet."""
        self.state = after(self.state, Step.FAIL)
        self.reason = reason
        return Failed(reason)

    def abandoned(self) -> tuple[PendingFrame, ...]:
        """The producer is abandoned: replay from the reader's position, then claim again (rule F2).

        Returns the frames of unknown fate, oldest first. Replay to the next own claim settles each for good.
        """
        self.state = after(self.state, Step.ABANDON)
        unknown = tuple(self._pending)
        self._pending.clear()
        self._awaited.clear()
        self._seen_invalid.clear()
        self._through = -1
        self._claim_nonce = ""
        return unknown

    # -- steps ---------------------------------------------------------------------------------------------------------
    def _acknowledge(self, offset: int) -> Effect:
        """The oldest pending frame stands valid at this offset."""
        frame = self._pending.popleft()
        self.reader.take_frame(offset, frame.value, frame.head)
        return Acknowledged(((frame, offset),))

    def _must_read(self, frame: PendingFrame, report: int | None) -> Effect:
        self.state = after(self.state, Step.READ_BACK)
        self._awaited.add(frame)
        if report is not None:
            self._through = max(self._through, report)
        start = self.reader.position
        return ReadBack(start, self._through if self._through >= start else None)

    def _read_replaying(self, offset: int, value: bytes) -> Effect:
        verdict = self.reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            return Replay(offset, verdict.body, self.reader.epoch, self.reader.seq)
        if not isinstance(verdict, ClaimTaken) or self.state is State.REPLAYING:
            return PASSED
        if verdict.nonce != self._claim_nonce:
            self.state = after(self.state, Step.LOSE)
            self.reason = f"another claim of epoch {verdict.epoch} came first"
            return ClaimLost(verdict.epoch)
        self.state = after(self.state, Step.WIN)
        self._seq = 0
        self._head = self.reader.head_bytes
        return Owner(verdict.epoch)

    def _read_serving(self, offset: int, value: bytes) -> Effect:
        if offset < self.reader.position:
            return PASSED
        verdict = self.reader.judge(offset, value)
        if isinstance(verdict, FrameTaken):
            if self._pending and self._pending[0].value == value:
                return self._acknowledge(offset)
            self._read_again_from = offset  # it is to be applied, after pending frames were rolled back
            return self._fenced(self.reader.epoch, "a frame of this epoch that it did not build is valid")
        self.reader.pass_over(offset, value)
        if isinstance(verdict, ClaimTaken):
            return self._fenced(verdict.epoch, f"epoch {verdict.epoch} was claimed{_by(verdict.body)}")
        self._seen_invalid.update(frame for frame in self._pending if frame.value == value)
        return PASSED

    def _fenced(self, epoch: int, reason: str) -> Effect:
        self.state = after(self.state, Step.FENCE)
        self.reason = reason
        return Fenced(epoch)

    def _check_read_again(self, offset: int) -> None:
        if offset != self._read_again_from:
            raise ProtocolMisuse(
                f"offset {self._read_again_from} fenced the writer and was not applied: read it again first"
            )
        self._read_again_from = None


def _by(body: memoryview) -> str:
    """Who claimed, for messages; a claim counts whatever its body says."""
    try:
        claim = decode_claim(body)
    except NOT_DECODED:
        return ""
    return f" by {claim.owner}" + (f" at {claim.address}" if claim.address else "")
