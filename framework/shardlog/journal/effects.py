"""What a step of the journal's writer leads to: values that its caller acts on."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class PendingFrame(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A frame that was built and is not yet acknowledged.

    value: the record to append. seq: in its epoch. prev: the head that it follows, 64 hex digits. number: how many
    frames this writer built before it. head: the chain's head after it, 32 bytes.
    """

    value: bytes
    epoch: int
    seq: int
    prev: str
    number: int
    head: bytes


class Replay(msgspec.Struct, frozen=True, gc=False):
    """A valid frame that is not pending here: apply its body to the state."""

    offset: int
    body: memoryview
    epoch: int
    seq: int


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The own claim is valid (rule T2): what was replayed is the whole history, frames may be built."""

    epoch: int


class Acknowledged(msgspec.Struct, frozen=True):
    """These frames stand valid in the log, each at its offset, in order."""

    frames: tuple[tuple[PendingFrame, int], ...]


class ReadBack(msgspec.Struct, frozen=True, gc=False):
    """Build nothing; read from `start` to the end known now, then call `read_back_ended` (rule K2).

    through: the offset to reach; None where nobody says where the frame stands. Where the log's end is not there yet,
    read again after a while, until the writer's own deadline.
    """

    start: int
    through: int | None


class Passed(msgspec.Struct, frozen=True, gc=False):
    """Nothing to do."""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """Build nothing more: abandon the producer, roll back to the acknowledged state, claim again (rules F1, F2)."""

    reason: str


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """Another writer's record is valid: as Failed, and with a growing back-off (rule F4). epoch: the current one."""

    epoch: int


class ClaimLost(msgspec.Struct, frozen=True, gc=False):
    """Another claim of the same epoch came first: abandon the producer, back off, claim again (rule T3)."""

    epoch: int


Effect: TypeAlias = Replay | Owner | Acknowledged | ReadBack | Passed | Failed | Fenced | ClaimLost
PASSED = Passed()
