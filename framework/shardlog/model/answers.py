"""What clients are shown of an outcome, over HTTP and as replies: one shape, and which status has which code."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec.structs import replace

from shardlog.model.outcomes import CommandRejected, CommandUnavailable

STATUS: Mapping[str, int] = {
    "invalid_command": 400,
    "invalid_id": 400,
    "issued_in_future": 400,
    "other_routing_key": 400,
    "undecodable": 400,
    "unknown_command": 404,
    "expired": 409,
    "wrong_version": 412,
    "too_large": 413,
    "id_reused": 422,
    "internal_error": 500,
    "misrouted": 500,
    "unavailable": 503,
    "outcome_unknown": 504,
}
"""The engine's codes. Every other code of a rejection is the domain's, a business rejection: 409."""
BUSINESS_REJECTION = 409


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem as it is written. line: of a batch. command_id: in a batch and in a reply.

    code: the outcome's, for programs. detail: for people. details: what the domain or the engine adds. token: where a
    refusal is recorded; absent where it speaks of this attempt only.
    """

    line: int | None = None
    command_id: str = ""
    type: str
    title: str
    status: int
    code: str
    detail: str
    details: Mapping[str, object] | None = None
    token: str | None = None
    retry_after_ms: int | None = None


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as clients see it. type: its wire name. version: its place in the stream."""

    type: str
    version: int
    data: Any


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An accepted command as clients see it. line: in a batch only. status, command_id: in a batch and in a reply.

    version: of the stream after the last event, null where it got none. token: the consistency token.
    """

    line: int | None = None
    status: int | None = None
    command_id: str = ""
    events: list[RecordedEvent]
    version: int | None
    token: str


def problem(status: int, code: str, detail: str) -> Problem:
    """A problem of the gateway's own."""
    return Problem(
        type=f"urn:shardlog:{code}", title=HTTPStatus(status).phrase, status=status, code=code, detail=detail
    )


def of_outcome(outcome: CommandRejected | CommandUnavailable, line: int | None = None, command_id: str = "") -> Problem:
    """What came of a command or a read that was not fulfilled."""
    status = STATUS.get(outcome.code, BUSINESS_REJECTION)
    found = Problem(
        line=line,
        command_id=command_id,
        type=f"urn:shardlog:{outcome.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=outcome.code,
        detail=outcome.message,
    )
    if isinstance(outcome, CommandRejected):
        return replace(found, details=outcome.details, token=outcome.token)
    return replace(found, retry_after_ms=outcome.retry_after_ms)
