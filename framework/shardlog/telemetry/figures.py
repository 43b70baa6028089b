"""What each role shows of itself at one moment: frozen values, made when somebody asks and without any I/O.

Roles make them, `shardlog.telemetry.samples` names them for Prometheus. Ends of logs are those that the role knew at
its last look, so that a broker that does not answer cannot keep its figures from being read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from shardlog.telemetry.counts import ProjectionCounts, ShardCounts

Offset = Annotated[int, msgspec.Meta(ge=0)]


class InputFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An input of one shard. name: without its incarnation. settled: the first offset that acknowledged frames do not
    settle. end: behind the last record known; None where the input does not say. is_failing: it could not be read at
    the last look."""

    name: str
    settled: int
    end: int | None
    is_failing: bool


class SnapshotFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots of one shard. taken_s: when the newest was, seconds since 1970 UTC; 0 where there is none. seconds,
    bytes: of the last one that was written here. written, failed: how many, since this process began."""

    taken_s: float
    seconds: float
    bytes: int
    written: int
    failed: int


class ShardFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One shard as its executor sees it.

    mode, modes: where it is on its way, and where it could be. next: the offset behind the last record that it has
    judged. queued: requests that wait. pending: frames on their way. invalid: records passed over, by reason.
    unserved: answers `unavailable` and `outcome_unknown`, by code.
    """

    shard: int
    mode: str
    modes: tuple[str, ...]
    epoch: int
    next: int
    queued: int
    pending: int
    counts: ShardCounts
    invalid: Mapping[str, int]
    unserved: Mapping[str, int]
    inputs: tuple[InputFigures, ...]
    snapshots: SnapshotFigures | None


class ProjectionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One projection, in the shards that this process serves. handled: events and rejections that it has heard here.
    dead_letters: that it has written here. open_letters: of these shards, those that wait for somebody. next, end: by
    shard, the first offset not read, and where the log ended at the last look. lag_s: by shard, the age of the oldest
    record not read, in seconds, or 0. counts: here. building: by build that is built beside the one that serves, how
    much of the journal it has read, 0 to 1."""

    name: str
    is_stopped: bool
    handled: int
    dead_letters: int
    open_letters: int
    next: Mapping[int, int]
    end: Mapping[int, int]
    lag_s: Mapping[int, float]
    counts: ProjectionCounts
    building: Mapping[str, float]


class GroupFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A process as a member of the group that keeps the projections. members: by projection, how many processes keep
    it, as of the last look. is_failing: leases cannot be looked at now."""

    members: Mapping[str, int]
    is_failing: bool


class PublisherFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher. published: records written here. failing: what goes wrong now. next, end: as of a projection."""

    published: int
    failing: int
    next: Mapping[int, int]
    end: Mapping[int, int]


class RelayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A relay. held: sends read and not known to be received. found: sends read here. letters: dead letters found and
    not yet stored. failing: what goes wrong now. next, end: as of a projection."""

    held: int
    found: int
    letters: int
    failing: int
    next: Mapping[int, int]
    end: Mapping[int, int]
