"""The settings of the HTTP server: where it listens, and what clients may hold of it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from shardlog.executor.limits import Duration
from shardlog.ranges import check_ranges

Host: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where HTTP is served."""

    host: Host = "127.0.0.1"
    """The address to listen at."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8420
    """The port to listen at; 0 takes a free one."""
    allow_remote: bool = False
    """Whether other hosts may connect; there is no authentication."""
    requests_per_s_max: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """Requests that are taken in a second, from all clients together; others are answered 429. 0: no limit."""
    connections_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    """Connections at once; others are answered 503 and closed."""
    receive_deadline_ms: Duration = 30_000
    """How long the head of a request may take to arrive, and how long the body of a single command."""
    answer_deadline_ms: Duration = 30_000
    """How long a command or a read may take: behind it `outcome_unknown`, or `unavailable` for a read."""
    keep_alive_ms: Annotated[int, msgspec.Meta(ge=1_000, le=86_400_000)] = 60_000
    """How long a connection may stay without a request, in whole seconds."""
    head_bytes_max: Annotated[int, msgspec.Meta(ge=1_024, le=1_048_576)] = 32_768
    """Bytes of a request's line and headers."""
    batch_lines_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 2_000
    """Lines of one batch that are handed in and not yet answered."""
    batch_lines_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 4_194_304
    """Bytes of these lines."""
    batch_answers_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 16_777_216
    """Bytes of answers that the client of a batch has not read; then its lines are not read either."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "gateway")
