"""From what roles show of themselves to named samples: pure, and without Prometheus's library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import ceil
from typing import NamedTuple, TypeAlias

from shardlog.telemetry.counts import Distribution
from shardlog.telemetry.figures import (
    GroupFigures,
    InputFigures,
    ProjectionFigures,
    PublisherFigures,
    RelayFigures,
    ShardFigures,
    SnapshotFigures,
)

Figures: TypeAlias = ShardFigures | ProjectionFigures | GroupFigures | RelayFigures | PublisherFigures
Source: TypeAlias = Callable[[], Iterable[Figures]]
"""Asked at every scrape, in any thread."""


class Sample(NamedTuple):
    """One value of a metric. labels: in the order of the catalogue."""

    metric: str
    labels: tuple[str, ...]
    value: float | Distribution


def samples(all_figures: Iterable[Figures]) -> Iterator[Sample]:
    """Everything that these figures say."""
    for figures in all_figures:
        if isinstance(figures, ShardFigures):
            yield from _shard(figures)
        elif isinstance(figures, ProjectionFigures):
            yield from _projection(figures)
        elif isinstance(figures, GroupFigures):
            yield from _group(figures)
        elif isinstance(figures, PublisherFigures):
            yield from _publisher(figures)
        else:
            yield from _relay(figures)


def _shard(figures: ShardFigures) -> Iterator[Sample]:
    counts, shard = figures.counts, str(figures.shard)
    values: Mapping[str, float | Distribution] = {
        "shardlog_frames_appended_total": counts.appended_frames,
        "shardlog_frames_acknowledged_total": counts.acknowledged_frames,
        "shardlog_frame_bytes": counts.frame_bytes,
        "shardlog_frame_commands": counts.frame_commands,
        "shardlog_acknowledgement_seconds": counts.acknowledgement_seconds,
        "shardlog_queue_commands": figures.queued,
        "shardlog_pending_frames": figures.pending,
        "shardlog_shard_epoch": figures.epoch,
        "shardlog_claims_appended_total": counts.claims_appended,
        "shardlog_claims_won_total": counts.claims_won,
        "shardlog_claims_lost_total": counts.claims_lost,
        "shardlog_fences_total": counts.fences,
        "shardlog_append_failures_total": counts.failures,
        "shardlog_shard_next_offset": figures.next,
        "shardlog_replay_end_offset": counts.replay_end,
        "shardlog_replayed_frames_total": counts.replayed_frames,
        "shardlog_recovery_seconds": counts.recovery_seconds,
    }
    for metric, value in values.items():
        yield Sample(metric, (shard,), value)
    for mode in figures.modes:
        yield Sample("shardlog_shard_mode", (shard, mode), int(mode == figures.mode))
    for reason, count in figures.invalid.items():
        yield Sample("shardlog_invalid_records_total", (shard, reason), count)
    yield Sample("shardlog_commands_total", (shard, "accepted", ""), counts.accepted)
    for (outcome, code), count in dict(counts.not_accepted).items():
        yield Sample("shardlog_commands_total", (shard, outcome, code), count)
    for code, count in figures.unserved.items():
        yield Sample("shardlog_commands_total", (shard, "unserved", code), count)
    for input in figures.inputs:
        yield from _input(shard, input)
    if figures.snapshots is not None:
        yield from _snapshots(shard, figures.snapshots)


def _input(shard: str, figures: InputFigures) -> Iterator[Sample]:
    labels = (shard, figures.name)
    yield Sample("shardlog_input_settled_offset", labels, figures.settled)
    if figures.end is not None:
        yield Sample("shardlog_input_lag_records", labels, max(0, figures.end - figures.settled))
    yield Sample("shardlog_input_failing", labels, int(figures.is_failing))


def _snapshots(shard: str, figures: SnapshotFigures) -> Iterator[Sample]:
    yield Sample("shardlog_snapshot_taken_timestamp_seconds", (shard,), figures.taken_s)
    yield Sample("shardlog_snapshot_duration_seconds", (shard,), figures.seconds)
    yield Sample("shardlog_snapshot_bytes", (shard,), figures.bytes)
    yield Sample("shardlog_snapshots_written_total", (shard,), figures.written)
    yield Sample("shardlog_snapshots_failed_total", (shard,), figures.failed)


def _projection(figures: ProjectionFigures) -> Iterator[Sample]:
    name, counts = figures.name, figures.counts
    events_a_record = (counts.batch_events.sum + 1) / (counts.records + 1)  # of which nothing is known: an event each
    for shard, end in figures.end.items():
        next = figures.next.get(shard, 0)
        yield Sample("shardlog_projection_lag_records", (name, str(shard)), max(0, end - next))
        yield Sample("shardlog_projection_lag_events", (name, str(shard)), ceil(max(0, end - next) * events_a_record))
        yield Sample("shardlog_projection_lag_seconds", (name, str(shard)), figures.lag_s.get(shard, 0.0))
        yield Sample("shardlog_projection_next_offset", (name, str(shard)), next)
    yield Sample("shardlog_projection_shards", (name,), len(figures.end))
    yield Sample("shardlog_projection_batch_events", (name,), counts.batch_events)
    yield Sample("shardlog_projection_commit_seconds", (name,), counts.commit_seconds)
    yield Sample("shardlog_projection_moved_batches_total", (name,), counts.moved)
    for build, progress in figures.building.items():
        yield Sample("shardlog_projection_build_progress_ratio", (name, build), progress)
    yield Sample("shardlog_projection_heard_total", (name,), figures.handled)
    yield Sample("shardlog_projection_dead_letters_total", (name,), figures.dead_letters)
    yield Sample("shardlog_projection_open_dead_letters", (name,), figures.open_letters)
    yield Sample("shardlog_projection_stopped", (name,), int(figures.is_stopped))


def _group(figures: GroupFigures) -> Iterator[Sample]:
    for name, members in figures.members.items():
        yield Sample("shardlog_projection_members", (name,), members)
    yield Sample("shardlog_projection_leases_failing", (), int(figures.is_failing))


def _publisher(figures: PublisherFigures) -> Iterator[Sample]:
    for shard, end in figures.end.items():
        next = figures.next.get(shard, 0)
        yield Sample("shardlog_publisher_lag_records", (str(shard),), max(0, end - next))
        yield Sample("shardlog_publisher_next_offset", (str(shard),), next)
    yield Sample("shardlog_publisher_records_total", (), figures.published)
    yield Sample("shardlog_publisher_failing", (), figures.failing)


def _relay(figures: RelayFigures) -> Iterator[Sample]:
    for shard, end in figures.end.items():
        next = figures.next.get(shard, 0)
        yield Sample("shardlog_relay_lag_records", (str(shard),), max(0, end - next))
        yield Sample("shardlog_relay_next_offset", (str(shard),), next)
    yield Sample("shardlog_relay_held_sends", (), figures.held)
    yield Sample("shardlog_relay_sends_total", (), figures.found)
    yield Sample("shardlog_relay_waiting_dead_letters", (), figures.letters)
    yield Sample("shardlog_relay_failing", (), figures.failing)
