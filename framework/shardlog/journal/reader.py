"""The reader's rule: which records of a shard count. One function of what was read before and of the record's bytes.

Projections, relays, snapshots, takeovers and the writer itself all judge by it, so they agree (rules R1 to R6).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec

from shardlog.errors import Diverged, UnknownFormat
from shardlog.journal.chain import head0, next_head
from shardlog.journal.envelope import FORMAT, Envelope, check_address, envelope_of, format_of, frame_prefix

REASONS = ("foreign", "malformed", "journal", "shard", "shards", "epoch", "nonce", "seq")
"""Why a record is invalid, in the order in which it is asked."""
_UNLIKE_ANY: tuple[bytes, ...] = ()  # `startswith(())` is never true: before the first claim no frame is valid


class ClaimTaken(msgspec.Struct, frozen=True, gc=False):
    """A valid claim: from here on frames of this epoch and nonce count."""

    epoch: int
    nonce: str
    body: memoryview


class FrameTaken(msgspec.Struct, frozen=True, gc=False):
    """A valid frame."""

    body: memoryview


class Invalid(msgspec.Struct, frozen=True, gc=False):
    """A record that has no effect but to be passed. reason: one of REASONS."""

    reason: str


Verdict: TypeAlias = ClaimTaken | FrameTaken | Invalid


class ReaderState(NamedTuple):
    """All that a verdict depends on; also what a checkpoint stores (rule C1).

    next: the offset to read from. epoch, nonce: of the last valid claim, 0 and "" before it. seq: of the last valid
    frame of that epoch, or 0. head: of the chain, 64 hex digits.
    """

    journal: str
    shard: int
    shards: int
    next: int
    epoch: int
    nonce: str
    seq: int
    head: str


class Reader:
    """A place in a shard's log, and the verdict on what comes next.

    position: the next offset. invalid: how many records were passed over, by reason. last_valid: offset and value of
    the last valid record passed since this reader was made (a snapshot's anchor, rule S1).
    """

    __slots__ = (
        "_head",
        "_prefix",
        "_start",
        "epoch",
        "invalid",
        "journal",
        "last_valid",
        "nonce",
        "position",
        "seq",
        "shard",
        "shards",
    )

    def __init__(self, journal: str, shard: int, shards: int) -> None:
        """Begin before the first record. Raises ValueError for a journal id that is no UUID or a shard out of range."""
        check_address(journal, shard, shards)
        self.journal = journal
        self.shard = shard
        self.shards = shards
        self.position = 0
        self.epoch = 0
        self.nonce = ""
        self.seq = 0
        self.invalid: dict[str, int] = dict.fromkeys(REASONS, 0)
        self.last_valid: tuple[int, bytes] | None = None
        self._head = head0(journal, shard, shards)
        self._prefix = b""
        self._start: bytes | tuple[bytes, ...] = _UNLIKE_ANY

    @classmethod
    def from_state(cls, state: ReaderState) -> Reader:
        """Go on from where another reader was."""
        reader = cls(state.journal, state.shard, state.shards)
        reader.position = state.next
        reader._head = bytes.fromhex(state.head)
        if state.epoch:
            reader._enter(state.epoch, state.nonce)
            reader.seq = state.seq
            reader._expect()
        return reader

    @property
    def state(self) -> ReaderState:
        """What to store, so that another reader goes on from here."""
        return ReaderState(
            self.journal, self.shard, self.shards, self.position, self.epoch, self.nonce, self.seq, self._head.hex()
        )

    @property
    def head(self) -> str:
        """The chain's head after the last valid record, 64 hex digits."""
        return self._head.hex()

    @property
    def head_bytes(self) -> bytes:
        """The chain's head after the last valid record, 32 bytes."""
        return self._head

    @property
    def frame_prefix(self) -> bytes:
        """What the frames of the current claim begin with; empty before the first claim."""
        return self._prefix

    def pass_over(self, offset: int, value: bytes) -> Verdict:
        """Judge the record at this offset and move behind it. A higher offset than expected proves a hole (rule R5).

        Raises UnknownFormat (rule R4), Diverged (rule R6), and ValueError for an offset that was passed before; then
        nothing has moved.
        """
        if offset < self.position:
            raise ValueError(f"shard {self.shard}: offset {offset} was passed before, the next one is {self.position}")
        verdict = self.judge(offset, value)
        kind = type(verdict)
        if kind is FrameTaken:
            self.take_frame(offset, value, next_head(self._head, value))
        else:
            if isinstance(verdict, ClaimTaken):
                self._head = next_head(self._head, value)
                self._enter(verdict.epoch, verdict.nonce)
                self.last_valid = (offset, value)
            elif isinstance(verdict, Invalid):
                self.invalid[verdict.reason] += 1
            self.position = offset + 1
        return verdict

    def judge(self, offset: int, value: bytes) -> Verdict:
        """The verdict alone: nothing moves. Raises UnknownFormat (rule R4) and Diverged (rule R6)."""
        if value.startswith(self._start):
            start = len(self._start)
            if not (value.startswith(b"[", start) and value.endswith(b"]]")):
                raise UnknownFormat(self.shard, offset, "a valid frame's body is not one array")
            return FrameTaken(memoryview(value)[start:-1])
        return self._judge_slowly(offset, value)

    def take_frame(self, offset: int, value: bytes, head: bytes) -> None:
        """Move behind a frame that is valid. head: the chain's head after it, 32 bytes."""
        self._head = head
        self.seq += 1
        self._expect()
        self.last_valid = (offset, value)
        self.position = offset + 1

    def is_next(self, value: bytes) -> bool:
        """Whether the value is a valid frame here (rule R2)."""
        return value.startswith(self._start)

    def _judge_slowly(self, offset: int, value: bytes) -> Verdict:
        version = format_of(value)
        if version is None:
            return Invalid("foreign")
        if version != FORMAT:
            raise UnknownFormat(
                self.shard, offset, f"the record is of format {version}, and this code reads format {FORMAT}"
            )
        envelope = envelope_of(value)
        if envelope is None:
            return Invalid("malformed")
        reason = self._differs(envelope)
        if reason is not None:
            return Invalid(reason)
        if not envelope.is_claim:
            raise Diverged(
                self.shard,
                offset,
                f"frame {self.seq + 1} of epoch {self.epoch} follows {envelope.prev.decode()}, and what was read leads "
                f"to {self.head}. A record before it was lost or altered: restore the journal from a replica or a "
                "backup, and rebuild what was derived from it",
            )
        if not (value.startswith(b"[", envelope.body) and value.endswith(b"]]")):
            raise UnknownFormat(self.shard, offset, "a valid claim's body is not one array")
        return ClaimTaken(int(envelope.epoch), envelope.nonce.decode(), memoryview(value)[envelope.body : -1])

    def _differs(self, envelope: Envelope) -> str | None:
        """The first field, of those that a verdict compares before PREV, that is not what the next valid record has."""
        if envelope.journal != self.journal.encode():
            return "journal"
        if envelope.shard != b"%d" % self.shard:
            return "shard"
        if envelope.shards != b"%d" % self.shards:
            return "shards"
        if envelope.is_claim:
            return None if envelope.epoch == b"%d" % (self.epoch + 1) else "epoch"
        if envelope.epoch != b"%d" % self.epoch:
            return "epoch"
        if envelope.nonce != self.nonce.encode():
            return "nonce"
        return None if envelope.seq == b"%d" % (self.seq + 1) else "seq"

    def _enter(self, epoch: int, nonce: str) -> None:
        self.epoch = epoch
        self.nonce = nonce
        self.seq = 0
        self._prefix = frame_prefix(self.journal, self.shard, self.shards, epoch, nonce)
        self._expect()

    def _expect(self) -> None:
        self._start = b'%b%d,"%b",' % (self._prefix, self.seq + 1, self._head.hex().encode())


def check_reach(state: ReaderState, log_next: int, whose: str) -> None:
    """Refuse a stored position beyond the end of the log (rule C2).

    log_next: the next offset to be given there. whose: who stored the position, for the message. Raises Diverged.
    """
    if state.next > log_next:
        raise Diverged(
            state.shard,
            log_next,
            f"{whose} has read up to offset {state.next}, and the log ends at {log_next}: it has lost records. Restore "
            f"the journal from a replica or a backup, or, where they are gone for good, rebuild {whose}",
        )
