"""What one shard counts while it serves: plain integers, added to once a frame and read whenever somebody asks.

There is nothing to switch off: a frame costs a few additions, whether anybody reads them or not. One thread adds, the
shard's own; a reader of another thread may find a frame half counted, and the whole of it a moment later.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from shardlog.errors import ENGINE_CODES

BUSINESS = "business"
"""The class of all codes of the domain: a code of its own for each would be without bound."""
ACKNOWLEDGEMENT_SECONDS = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
FRAME_BYTES = (256, 1_024, 4_096, 16_384, 65_536, 262_144, 524_288, 1_048_576, 4_194_304)
BATCH_EVENTS = (1, 10, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000)
COMMIT_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
FRAME_COMMANDS = (1, 2, 5, 10, 20, 50, 100, 150, 200, 500, 1_000)


def code_class(code: str) -> str:
    """A code of the engine as it is, `business` for any of a domain's.

    >>> code_class("too_large"), code_class("account_not_open")
    ('too_large', 'business')
    """
    return code if code in ENGINE_CODES else BUSINESS


class Distribution:
    """How many values were up to each bound, and their sum. bounds: growing; a value equal to a bound is within it."""

    __slots__ = ("_counts", "bounds", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def counts(self) -> tuple[int, ...]:
        """By bound, how many values were above the bound before and up to this one; last, those above all bounds."""
        return tuple(self._counts)


class ShardCounts:
    """One shard's, since this process began to serve it.

    accepted: commands of acknowledged frames. not_accepted: all others, by outcome (`rejected`, `refused`, `repeated`,
    `gap`, `forwarded`, `unreadable`) and class of code, once their frame is acknowledged or needs none. claims_won,
    claims_lost: to another claim of the same epoch. fences: how often another process's record ended a claim that
    served. failures: appends and claims that came to nothing. replayed_frames: applied at recoveries. recovery_seconds:
    from the beginning of the last recovery to the claim that ended it. replay_end: where the log ended when that
    recovery began.
    """

    __slots__ = (
        "_recovery_began_ms",
        "accepted",
        "acknowledged_frames",
        "acknowledgement_seconds",
        "appended_frames",
        "claims_appended",
        "claims_lost",
        "claims_won",
        "failures",
        "fences",
        "frame_bytes",
        "frame_commands",
        "not_accepted",
        "recovery_seconds",
        "replay_end",
        "replayed_frames",
    )

    def __init__(self) -> None:
        self.appended_frames = 0
        self.acknowledged_frames = 0
        self.acknowledgement_seconds = Distribution(ACKNOWLEDGEMENT_SECONDS)
        self.frame_bytes = Distribution(FRAME_BYTES)
        self.frame_commands = Distribution(FRAME_COMMANDS)
        self.accepted = 0
        self.not_accepted: dict[tuple[str, str], int] = {}
        self.claims_appended = 0
        self.claims_won = 0
        self.claims_lost = 0
        self.fences = 0
        self.failures = 0
        self.replayed_frames = 0
        self.recovery_seconds = 0.0
        self.replay_end = 0
        self._recovery_began_ms: float | None = None

    def appended(self, size: int, commands: int) -> None:
        """A frame of so many bytes and entries is on its way."""
        self.appended_frames += 1
        self.frame_bytes.observe(size)
        self.frame_commands.observe(commands)

    def acknowledged(self, after_ms: float) -> None:
        """A frame was acknowledged so long after it was appended."""
        self.acknowledged_frames += 1
        self.acknowledgement_seconds.observe(after_ms / 1000)

    def others(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Commands that were not accepted, by outcome and class of code."""
        for kind, count in counts.items():
            self.not_accepted[kind] = self.not_accepted.get(kind, 0) + count

    def recovering(self, now_ms: float, log_end: int) -> None:
        """A recovery begins, or goes on where it was given up."""
        if self._recovery_began_ms is None:
            self._recovery_began_ms = now_ms
        self.replay_end = log_end

    def failed(self, is_fenced: bool, is_claim_lost: bool) -> None:
        """A claim is given up: another process has the shard, or an append came to nothing."""
        if is_fenced:
            self.fences += 1
        elif is_claim_lost:
            self.claims_lost += 1
        else:
            self.failures += 1

    def owned(self, now_ms: float) -> None:
        """The own claim is valid."""
        self.claims_won += 1
        if self._recovery_began_ms is not None:
            self.recovery_seconds = (now_ms - self._recovery_began_ms) / 1000
            self._recovery_began_ms = None


class ProjectionCounts:
    """One projection's, since this process began to keep it.

    batch_events: events and rejections of each committed batch. commit_seconds: how long each took to be written, with
    all that was tried again. records: of the journal, in all committed batches. moved: how often a batch came to
    nothing since another process had moved a checkpoint.
    """

    __slots__ = ("batch_events", "commit_seconds", "moved", "records")

    def __init__(self) -> None:
        self.batch_events = Distribution(BATCH_EVENTS)
        self.commit_seconds = Distribution(COMMIT_SECONDS)
        self.records = 0
        self.moved = 0

    def committed(self, events: int, records: int, seconds: float) -> None:
        """A batch of so many events, from so many records, was written in so many seconds."""
        self.batch_events.observe(events)
        self.commit_seconds.observe(seconds)
        self.records += records


class SharedCounts:
    """Counts that several threads add to: by kind. Only for what is off the hot path, since each takes a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, kind: str, count: int = 1) -> None:
        """So many more."""
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + count

    def all(self) -> dict[str, int]:
        """By kind."""
        with self._lock:
            return dict(self._counts)
