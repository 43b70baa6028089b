"""The writer's states and the steps between them: one table, and nothing that is not in it happens."""

from __future__ import annotations

from enum import Enum

from shardlog.errors import ShardlogError


class State(Enum):
    """Where a writer is."""

    REPLAYING = "replaying"
    """No claim is under way: records are read and applied."""
    CLAIMING = "claiming"
    """The claim is appended or on its way: records are read until it comes by."""
    SERVING = "serving"
    """Frames are built and acknowledged."""
    READING_BACK = "reading back"
    """A report did not say enough: nothing is built until the log has been read."""
    FAILED = "failed"
    """Pending frames are of unknown fate; the producer is to be abandoned."""
    FENCED = "fenced"
    """As FAILED, and another writer owns the shard."""


class Step(Enum):
    """What moves a writer from state to state."""

    CLAIM = "claim"
    WIN = "take the shard"
    LOSE = "lose the claim"
    READ_BACK = "read back"
    END_READ_BACK = "end reading back"
    FAIL = "fail"
    FENCE = "be fenced"
    ABANDON = "abandon"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.REPLAYING, Step.CLAIM): State.CLAIMING,
    (State.REPLAYING, Step.FAIL): State.FAILED,
    (State.REPLAYING, Step.ABANDON): State.REPLAYING,
    (State.CLAIMING, Step.WIN): State.SERVING,
    (State.CLAIMING, Step.LOSE): State.FAILED,
    (State.CLAIMING, Step.FAIL): State.FAILED,
    (State.SERVING, Step.READ_BACK): State.READING_BACK,
    (State.SERVING, Step.FAIL): State.FAILED,
    (State.SERVING, Step.FENCE): State.FENCED,
    (State.READING_BACK, Step.READ_BACK): State.READING_BACK,
    (State.READING_BACK, Step.END_READ_BACK): State.SERVING,
    (State.READING_BACK, Step.FAIL): State.FAILED,
    (State.READING_BACK, Step.FENCE): State.FENCED,
    (State.FAILED, Step.FAIL): State.FAILED,
    (State.FAILED, Step.ABANDON): State.REPLAYING,
    (State.FENCED, Step.FAIL): State.FENCED,
    (State.FENCED, Step.ABANDON): State.REPLAYING,
}


class ProtocolMisuse(ShardlogError, RuntimeError):
    """The caller asked for a step that the protocol does not allow now: its fault; nothing was done."""


def after(state: State, step: Step) -> State:
    """The state that a step leads to. Raises ProtocolMisuse for a step that the table does not hold."""
    following = TRANSITIONS.get((state, step))
    if following is None:
        allowed = ", ".join(s.value for origin, s in TRANSITIONS if origin is state)
        raise ProtocolMisuse(f"a writer that is {state.value} cannot {step.value}; it can: {allowed}")
    return following
