"""What is answered where a request is not fulfilled: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shardlog.codec.json import encode
from shardlog.model.answers import STATUS as STATUS
from shardlog.model.answers import Problem
from shardlog.model.answers import of_outcome as of_outcome
from shardlog.model.answers import problem as problem

PROBLEM_TYPE = b"application/problem+json"


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


def as_answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Answer:
    """The response; `Retry-After` in whole seconds, rounded up, where the problem has a delay."""
    body = encode(problem)
    written = [(b"content-type", PROBLEM_TYPE), (b"content-length", str(len(body)).encode())]
    if problem.retry_after_ms is not None:
        written.append((b"retry-after", str(max(1, -(-problem.retry_after_ms // 1000))).encode()))
    written += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return Answer(problem.status, written, body)
