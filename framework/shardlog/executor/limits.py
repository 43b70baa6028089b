"""The limits of an executor: each a named setting with a unit."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.ranges import check_ranges

FRAME_OVERHEAD_BYTES = 1_024
"""What a frame holds beside entries: envelope, time, names of inputs."""
REFUSAL_BYTES = 8_192
"""What a recorded refusal adds to its command: code, message, place."""
NESTING_LIMIT = 500
"""What nesting_max may be at most: a frame adds levels of its own, and decoders take about a thousand."""
Duration: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]
"""Milliseconds, up to a day."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor refuses to exceed."""

    frame_commands_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 200
    """Entries of one frame. More gives no throughput and longer bursts."""
    frame_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=500_000_000)] = 900_000
    """Bytes of one frame, below the message size that a broker takes by default."""
    command_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=250_000_000)] = 262_144
    """Bytes of one command's record."""
    queue_commands_max: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 10_000
    """Requests that wait in front of one shard; more are answered `unavailable`."""
    pending_frames_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 4
    """Frames of one shard appended and not yet acknowledged."""
    pipelined_commands_min: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 32
    """Commands that begin a frame while others are on their way; fewer wait for the next acknowledgement."""
    dedupe_window_ms: Duration = 60_000
    """How long a request's id is known, at least, in frame time."""
    dedupe_ids_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 10_000_000
    """Ids that one shard's request window holds; a full one answers `unavailable` rather than forget."""
    dedupe_counted_ids_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1_000_000
    """Ids of a commands topic that one shard remembers, best effort."""
    clock_ahead_max_ms: Duration = 10_000
    """How far an id's time, or the newest frame's, may be ahead of this host's clock."""
    append_deadline_ms: Duration = 10_000
    """How long an append may stay without a report before the writer fails."""
    claim_deadline_ms: Duration = 10_000
    """How long a claim may stay unseen in the log before another is made."""
    abandon_deadline_ms: Duration = 1_000
    """How long an abandoned producer may take to end."""
    retry_after_ms: Duration = 200
    """The delay that an `unavailable` answer asks for."""
    nesting_max: Annotated[int, msgspec.Meta(ge=1, le=NESTING_LIMIT)] = 64
    """Levels of arrays and objects inside one another, in a command, an event or a send."""
    unsettled_failures_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 2
    """From so many failed appends in a row on, those who wait are answered instead of kept."""
    back_off_min_ms: Duration = 50
    """The wait before another claim after a failure or the loss of a shard; it doubles each time."""
    back_off_max_ms: Duration = 5_000
    """The longest such wait."""
    contention_calm_ms: Duration = 60_000
    """How long a shard must be kept for earlier losses to be forgotten, so that contenders' waits grow."""

    @property
    def entry_bytes_max(self) -> int:
        """Bytes of one entry: half a frame, so that a frame that is not yet half full takes any entry."""
        return (self.frame_bytes_max - FRAME_OVERHEAD_BYTES) // 2

    def __post_init__(self) -> None:
        """Raises ConfigurationError for one out of its range, or where a refused command might not fit a frame."""
        check_ranges(self, "executor")
        if self.back_off_min_ms > self.back_off_max_ms:
            raise ConfigurationError(
                f"executor setting back_off_min_ms is {self.back_off_min_ms}, and must not exceed back_off_max_ms "
                f"({self.back_off_max_ms})"
            )
        if self.command_bytes_max + REFUSAL_BYTES > self.entry_bytes_max:
            raise ConfigurationError(self._command_beyond_frame())

    def _command_beyond_frame(self) -> str:
        least = 2 * (self.command_bytes_max + REFUSAL_BYTES) + FRAME_OVERHEAD_BYTES
        most = self.entry_bytes_max - REFUSAL_BYTES
        lower = f"lower it to {most}, or " if most > 0 else ""
        return (
            f"executor setting command_bytes_max is {self.command_bytes_max}, and does not fit frame_bytes_max "
            f"({self.frame_bytes_max}), half of which must hold a command and its refusal: {lower}raise "
            f"frame_bytes_max to {least}"
        )
