"""What can go wrong, and who must act.

The tree says whose move it is: `DomainError` is for the author of the domain code, `Rejection` for the caller,
`ConfigurationError` for whoever deploys, `JournalError` for the operator. Every message names the thing, the value,
the limit and the next step.
"""

from __future__ import annotations

import re
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
CODE_CHARACTERS_MAX = 64
"""How long the code of a rejection may be."""

_is_code = re.compile("[a-z][a-z0-9_]*").fullmatch


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


class EngineRejection(Rejection):
    """A refusal by the engine itself; its code is one of ENGINE_CODES."""


class InvalidId(EngineRejection, ValueError):
    """An id that could not go into a URL or a topic key.

    A rejection while a command is decided, elsewhere a ValueError.
    """

    def __init__(self, message: str) -> None:
        super().__init__("invalid_id", message)


class InvalidToken(ShardlogError, ValueError):
    """A text that is no consistency token; the caller must act."""


class NotServing(ShardlogError, RuntimeError):
    """An engine was used before it was opened; nothing was done, and the caller must act."""


class StreamUnreadable(ShardlogError):
    """A stream's state could not be read now: its shard is not served, or nothing can stand at that address."""


class ConfigurationError(ShardlogError):
    """A setting, or a setting and what is stored, do not fit; whoever deploys must act."""


class JournalRefused(ConfigurationError):
    """The log's brokers, or the client, refuse: credentials, TLS, a right, a topic that is not there.

    At a start whoever deploys must act. In a process that has served it may pass: certificates and rights change, and
    brokers that have just begun may not know yet what they will.
    """


class InputChanged(ConfigurationError):
    """An input that the shard knows came under another incarnation, so its offsets mean other records."""


class InputTruncated(ConfigurationError):
    """An input does not hold a record any more that was not yet settled: retention, or somebody, was faster.

    input: its full name. shard: from 0. start: the offset wanted. earliest: the first one that is there.
    """

    def __init__(self, input: str, shard: int, start: int, earliest: int) -> None:
        super().__init__(
            f"shard {shard}: input {input!r} is to be read from offset {start}, and begins at {earliest}: the records "
            f"of {start} to {earliest - 1}, as far as there were any, are gone, and no command of them was applied. "
            "Nothing is skipped by itself. Find out what they were, and keep records for longer than executors may be "
            "away (retention.ms); to go on behind the gap: "
            f"shardlog admin accept-input {input} --gap {shard} {earliest}"
        )
        self.input = input
        self.shard = shard
        self.start = start
        self.earliest = earliest


class TopicTruncated(ConfigurationError):
    """A topic of events does not hold records any more that a sink has not had: retention was faster."""


class TopicChanged(ConfigurationError):
    """A topic of events holds other records than those that a sink's rows are of: it was deleted and made again."""


class JournalHeld(ConfigurationError):
    """Another process serves this journal directory."""


class JournalMismatch(ConfigurationError):
    """The journal was made for another number of shards, another hash, or other routing parts."""


class JournalError(ShardlogError):
    """The journal cannot be read or written as it must be; an operator must act."""


class JournalUnavailable(JournalError):
    """The log's brokers do not answer now. Nothing is at fault but time: the same may work later."""


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

    def __init__(
        self, shard: int, start: int, earliest: int, next_step: str = "Start from a snapshot, or from the archive."
    ) -> None:
        super().__init__(
            f"shard {shard}: offset {start} was asked for, and the journal begins at {earliest}. {next_step}"
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
    """A record written in a format, or with messages, that this code does not know. Never skipped.

    remedy: what to do, as whole sentences.
    """

    def __init__(
        self,
        shard: int,
        offset: int,
        why: str,
        remedy: str = "This code is older than the journal: deploy code that reads it.",
    ) -> None:
        super().__init__(f"shard {shard}, offset {offset}: {why}. {remedy} Nothing was skipped.")
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


class ReplayDiffers(JournalError):
    """The code at hand leads from the same events to another state than the code before it did.

    shard: from 0. stream: one that differs, "" where none could be replayed.
    """

    def __init__(self, shard: int, stream: str, why: str) -> None:
        super().__init__(f"shard {shard}: this code does not lead to the state that the journal led to: {why}")
        self.shard = shard
        self.stream = stream


class ClockBehind(JournalError):
    """This host's clock is behind the newest frame by more than is allowed (rule D4)."""


class AppendFailed(JournalError):
    """A record may or may not stand in the log: the append ended in an error. Reading settles it."""


class OutputsFailed(ShardlogError):
    """What a relay publishes or carries was not taken now. It begins again from its checkpoint; nothing is lost."""


class PublisherReplaced(OutputsFailed):
    """Another publisher of the same journal has begun, and this one's transaction never counts. One is enough."""


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


class BuildRefused(ProjectionError):
    """What is asked of a build cannot be done: there is none, it serves, or something depends on what would go."""


class BuildBehind(BuildRefused):
    """A build has not read what it must have read before the views show it. It needs time, or somebody who builds."""


class QueryTimeout(ProjectionError):
    """A statement that reads took longer than it may. Ask for less, or by columns that have an index."""


class HandlerFailed(ProjectionError):
    """A rebuild, or a projection with on_failure="stop", met an event that it cannot handle, and stops before it."""


class DeadLettersFull(ProjectionError):
    """A projection has as many dead letters as it may have; the next event that fails stops it."""


class QueryRefused(ProjectionError):
    """The database does not run this SELECT, or it is none; its author must act. Nothing was changed."""


class RowShared(ProjectionError):
    """A row is written from two routing keys, so that its contents depend on which shard is read first."""


class ObjectStoreError(ShardlogError):
    """An object store did not do what was asked; whoever runs it must act."""


class ObjectStoreFailed(ObjectStoreError):
    """The store is unreachable, full, damaged, or does not permit it. The same may work later."""


class ObjectExists(ObjectStoreError):
    """The key holds a value already. Keys are written once, so the value was left as it is."""


class ObjectMissing(ObjectStoreError):
    """The key holds no value, or none any more."""


class SnapshotError(ShardlogError):
    """A snapshot is not what it must be, or could not be made; the journal is untouched."""


class SnapshotUnusable(SnapshotError):
    """This snapshot is not loaded: damaged, of another journal, or of other types. An older one or a replay serves.

    key: of the snapshot in the object store.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"snapshot {key} is not used: {why}")
        self.key = key


class SnapshotFailed(SnapshotError):
    """A snapshot that was asked for was not made. The shard serves on; the next one is tried later."""


class HistoryMissing(JournalError):
    """The journal does not begin at 0, and no snapshot reaches what it holds: the shard cannot be served."""


class TruncationRefused(JournalError):
    """The journal was not cut off: what would be lost is still needed, or is kept nowhere else."""


class SchemaError(ShardlogError):
    """A schema, or a value in the form of one, is not what it must be; nothing was changed."""


class SchemaRefused(SchemaError):
    """A change of a message that readers of old or new values could not follow; the domain's author must act."""


class SchemaUnknown(SchemaError):
    """No schema is known under this id, or this one is not registered."""


class PayloadUnreadable(SchemaError):
    """Bytes that are no value of the schema, or the message, that they name; whoever wrote them must act."""


class PayloadUnwritable(SchemaError):
    """A value that Avro has no form for, such as an integer of more than 64 bits; its author must act."""


class RegistryUnavailable(SchemaError):
    """The schema registry does not answer, or not now. Nothing is at fault but time: try again."""


class RegistryFailed(SchemaError):
    """The schema registry refuses: credentials, permissions, a setting. Trying again does not help."""


def reject(code: str, message: str) -> NoReturn:
    """Refuse the command. `code` is for programs (snake case, stable), `message` for people.

    Raises Rejection, always.
    """
    raise Rejection(str(code), message)


def sentence(said: object) -> str:
    """A text that another sentence follows: with a stop at its end, unless it has one.

    >>> sentence("Is it there?"), sentence("it is away")
    ('Is it there?', 'it is away.')
    """
    text = str(said).rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def check_code(code: str) -> str | None:
    """Why a domain may not reject with this code; None where it may.

    A code is snake case, `a-z 0-9 _` from a letter on, of 1 to 64 characters, and none of ENGINE_CODES.
    """
    if code in ENGINE_CODES:
        return "the engine itself rejects with it, and a caller could not tell them apart: take another"
    if len(code) > CODE_CHARACTERS_MAX or not _is_code(code):
        return f"a code is snake case, a-z 0-9 _ from a letter on, and of 1 to {CODE_CHARACTERS_MAX} characters"
    return None
