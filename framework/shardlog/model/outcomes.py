"""What a client is told about a command: values to match on. Exceptions are for faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from shardlog.model.messages import Event


class CommandAccepted(msgspec.Struct, frozen=True):
    """The command was decided, and its frame stands in the log.

    events: what happened on the addressed stream, perhaps nothing. version: of the last of them, None where there is
    none. token: give it to a reader as `after=` to see at least this.
    """

    events: tuple[Event, ...]
    version: int | None
    token: str


class CommandRejected(msgspec.Struct, frozen=True):
    """The command was refused. The code is the domain's, or one of the engine's (`shardlog.errors.ENGINE_CODES`).

    token: where the refusal is recorded; None for a refusal of this attempt that is not (`invalid_command`, `expired`).
    """

    code: str
    message: str
    details: Mapping[str, object] | None = None
    token: str | None = None


class CommandUnavailable(msgspec.Struct, frozen=True):
    """Nobody knows better yet. Send the command again with the same command id, after the delay in milliseconds.

    `unavailable`: it was not applied. `outcome_unknown`: it may have been; the same id is applied once.
    """

    code: Literal["unavailable", "outcome_unknown"]
    message: str
    retry_after_ms: int


Outcome: TypeAlias = CommandAccepted | CommandRejected | CommandUnavailable
"""All that can come of a command."""
