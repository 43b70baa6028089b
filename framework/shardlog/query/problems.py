"""What is answered where a question is not: `application/problem+json` (RFC 9457), and never a database's own words."""

from __future__ import annotations

import logging

from msgspec.structs import replace

from shardlog.codec.json import encode
from shardlog.errors import ProjectionError, QueryTimeout, RowsRefused
from shardlog.model.answers import Problem, problem

PROBLEM_TYPE = "application/problem+json"
RETRY_MS = 1_000
log = logging.getLogger("shardlog.query")


class RequestRefused(Exception):
    """A question that is not answered, as the problem that it holds."""

    def __init__(self, status: int, code: str, detail: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.problem = replace(problem(status, code, detail), retry_after_ms=retry_after_ms)


def invalid(detail: str) -> RequestRefused:
    """A parameter that is wrong."""
    return RequestRefused(400, "invalid_query", detail)


def unavailable(detail: str) -> RequestRefused:
    """Trying again may help."""
    return RequestRefused(503, "unavailable", detail, retry_after_ms=RETRY_MS)


def of_error(error: ProjectionError, what: str) -> RequestRefused:
    """What a reader's error means for whoever asked. what: was asked for. The log has the database's words."""
    if isinstance(error, QueryTimeout):
        return RequestRefused(408, "query_timeout", str(error))
    if isinstance(error, RowsRefused):
        log.info("%s cannot be worked out: %s", what, error)
        return RequestRefused(
            400, "query_failed", f"{what} cannot be worked out with these values, as in a division by 0: give others"
        )
    log.warning("%s is not available: %s", what, error)
    return unavailable(f"{what} cannot be read at present: ask again later. The log of the server says why")


def body_and_headers(refusal: Problem) -> tuple[bytes, dict[str, str]]:
    """As it is written; `Retry-After` in whole seconds, rounded up."""
    headers = {}
    if refusal.retry_after_ms is not None:
        headers["retry-after"] = str(max(1, -(-refusal.retry_after_ms // 1000)))
    return encode(refusal), headers
