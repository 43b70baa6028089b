"""What is answered where a request is not fulfilled: `application/problem+json` (RFC 9457), and which status has which
code."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from shardlog.codec.json import encode
from shardlog.model.outcomes import CommandRejected, CommandUnavailable

PROBLEM_TYPE = b"application/problem+json"
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
    """A problem as it is written. line, command_id: of a line of a batch, and absent elsewhere.

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


class Answer(NamedTuple):
    """A response: status, headers, body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class RequestRefused(Exception):
    """The gateway itself refuses a request. Raised while one is read; answered as the problem that it holds."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.problem = problem(status, code, detail)


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


def as_answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Answer:
    """The response; `Retry-After` in whole seconds, rounded up, where the problem has a delay."""
    body = encode(problem)
    written = [(b"content-type", PROBLEM_TYPE), (b"content-length", str(len(body)).encode())]
    if problem.retry_after_ms is not None:
        written.append((b"retry-after", str(max(1, -(-problem.retry_after_ms // 1000))).encode()))
    written += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Answer(problem.status, written, body)
