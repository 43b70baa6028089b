"""What can go wrong, and who must act.

The tree says whose move it is: `DomainError` is for the author of the domain code, `Rejection` for the caller,
`ConfigurationError` for whoever deploys, `JournalError` for the operator. Every message names the thing, the value,
the limit and the next step.
"""

from __future__ import annotations

from typing import NoReturn

ENGINE_CODES = frozenset(
    {
        "expired",
        "id_reused",
        "internal_error",
        "invalid_command",
        "invalid_id",
        "issued_in_future",
        "misrouted",
        "other_routing_key",
        "outcome_unknown",
        "too_large",
        "unavailable",
        "undecodable",
        "unknown_command",
        "wrong_version",
    }
)
"""Codes that the engine itself rejects with; a domain may not use them."""


class ShardlogError(Exception):
    """Root of every error that shardlog raises."""


class DomainError(ShardlogError):
    """The domain code is wrong; its author must act. Raised while it is imported, or by the test kit."""


class Rejection(ShardlogError):
    """A refusal; the caller must act. Raised by `reject`, an outcome everywhere else.

    code: for programs, snake case, stable. message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class InvalidId(Rejection, ValueError):
    """An id that could not go into a URL or a topic key.

    A rejection while a command is decided, elsewhere a ValueError.
    """

    def __init__(self, message: str) -> None:
        super().__init__("invalid_id", message)


class InvalidToken(ShardlogError, ValueError):
    """A text that is no consistency token; the caller must act."""


class ConfigurationError(ShardlogError):
    """A setting, or a setting and what is stored, do not fit; whoever deploys must act."""


class InputChanged(ConfigurationError):
    """An input that the shard knows came under another incarnation, so its offsets mean other records."""


class JournalHeld(ConfigurationError):
    """Another process serves this journal directory."""


class JournalMismatch(ConfigurationError):
    """The journal was made for another number of shards, another hash, or other routing parts."""


class JournalError(ShardlogError):
    """The journal cannot be read or written as it must be; an operator must act."""


class Corrupt(JournalError):
    """A stored record is not what was appended. It is never used.

    shard: from 0. offset: of the record, from 0.
    """

    def __init__(self, shard: int, offset: int, why: str) -> None:
        super().__init__(
            f"shard {shard}, offset {offset}: {why}. The record is not used, and nothing behind it is read. "
            "Restore the journal from a replica or a backup."
        )
        self.shard = shard
        self.offset = offset


class Truncated(JournalError):
    """An offset below the earliest one that the journal still holds was asked for."""

    def __init__(self, shard: int, start: int, earliest: int) -> None:
        super().__init__(
            f"shard {shard}: offset {start} was asked for, and the journal begins at {earliest}. "
            "Start from a snapshot, or from the archive."
        )
        self.shard = shard
        self.start = start
        self.earliest = earliest


class Diverged(JournalError):
    """History was lost or altered: what was read before does not lead to what stands in the log now."""

    def __init__(self, shard: int, offset: int, why: str) -> None:
        super().__init__(f"shard {shard}, offset {offset}: diverged: {why}")
        self.shard = shard
        self.offset = offset


class UnknownFormat(JournalError):
    """A record written in a format, or with messages, that this code does not know. Never skipped."""

    def __init__(self, shard: int, offset: int, why: str) -> None:
        super().__init__(
            f"shard {shard}, offset {offset}: {why}. This code is older than the journal or lacks a class: "
            "deploy code that reads it. Nothing was skipped."
        )
        self.shard = shard
        self.offset = offset


class ReplayFailed(JournalError):
    """The code at hand cannot replay what it, or other code, once wrote."""

    def __init__(self, shard: int, offset: int, stream: str, version: int, why: str) -> None:
        super().__init__(
            f"shard {shard}, offset {offset}: {stream} version {version} cannot be replayed: {why}. "
            "The shard is stopped: deploy the code that wrote this event, or make evolve accept it again."
        )
        self.shard = shard
        self.offset = offset
        self.stream = stream


class ClockBehind(JournalError):
    """This host's clock is behind the newest frame by more than is allowed (rule D4)."""


class AppendFailed(JournalError):
    """A record may or may not stand in the log: the append ended in an error. Reading settles it."""


class ProjectionError(ShardlogError):
    """A projection cannot go on; its owner must act."""


class CheckpointMoved(ProjectionError):
    """Another worker has moved this projection's checkpoint, or settled its dead letter; nothing was written here."""


class RowsRefused(ProjectionError):
    """The store refuses the rows of this batch: a value, or a change, does not fit its table. An event is at fault."""


class StoreUnavailable(ProjectionError):
    """The store is locked, busy, full, or its connection is lost. Nothing is at fault but time: try again."""


class StoreFailed(ProjectionError):
    """The store cannot be used: damaged, read-only, misconfigured. Trying again does not help."""


class TableMismatch(ProjectionError):
    """A projection's table is not as its row class says: somebody changed the one or the other."""


class HandlerFailed(ProjectionError):
    """A rebuild met an event that its projection cannot handle and that no dead letter speaks of."""


class DeadLettersFull(ProjectionError):
    """A projection has as many dead letters as it may have; the next event that fails stops it."""


class RowShared(ProjectionError):
    """A row is written from two routing keys, so that its contents depend on which shard is read first."""


def reject(code: str, message: str) -> NoReturn:
    """Refuse the command. `code` is for programs (snake case, stable), `message` for people.

    Raises Rejection, always.
    """
    raise Rejection(str(code), message)
