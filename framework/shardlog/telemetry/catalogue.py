"""Every metric there is: its name, what it counts, its labels. The documentation has the same list.

Labels are bounded: shards, modes, reasons, classes of codes, and names that the code or the settings give. No id and no
text of a user is a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """One metric. name: as it is scraped, but for `_bucket`, `_sum` and `_count` of a histogram."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    about: str


_SHARD = ("shard",)
_ALL = (
    # -- executor
    Metric("shardlog_frames_appended_total", "counter", _SHARD, "Frames handed to the journal."),
    Metric("shardlog_frames_acknowledged_total", "counter", _SHARD, "Frames that stand valid in the journal."),
    Metric("shardlog_frame_bytes", "histogram", _SHARD, "Bytes of appended frames, before compression."),
    Metric("shardlog_frame_commands", "histogram", _SHARD, "Entries of appended frames."),
    Metric("shardlog_acknowledgement_seconds", "histogram", _SHARD, "From a frame's append to its acknowledgement."),
    Metric(
        "shardlog_commands_total",
        "counter",
        ("shard", "outcome", "code"),
        "Commands by outcome; the code is the engine's, or `business` for all of a domain's.",
    ),
    Metric("shardlog_queue_commands", "gauge", _SHARD, "Requests that wait to be decided."),
    Metric("shardlog_pending_frames", "gauge", _SHARD, "Frames on their way to the journal."),
    Metric("shardlog_shard_mode", "gauge", ("shard", "mode"), "1 for what the shard does now, 0 for all else."),
    Metric("shardlog_shard_epoch", "gauge", _SHARD, "The epoch of the last valid claim that was read."),
    Metric("shardlog_claims_appended_total", "counter", _SHARD, "Claims handed to the journal."),
    Metric("shardlog_claims_won_total", "counter", _SHARD, "Own claims found valid."),
    Metric("shardlog_claims_lost_total", "counter", _SHARD, "Claims that another one of the same epoch preceded."),
    Metric("shardlog_fences_total", "counter", _SHARD, "How often another process took the shard while it was served."),
    Metric("shardlog_append_failures_total", "counter", _SHARD, "Appends and claims that came to nothing."),
    Metric(
        "shardlog_invalid_records_total",
        "counter",
        ("shard", "reason"),
        "Records of the journal passed over since they do not count, by the reader's reason.",
    ),
    Metric("shardlog_shard_next_offset", "gauge", _SHARD, "The offset behind the last record that was judged."),
    Metric("shardlog_replay_end_offset", "gauge", _SHARD, "Where the journal ended when the last recovery began."),
    Metric("shardlog_replayed_frames_total", "counter", _SHARD, "Frames applied by recoveries."),
    Metric("shardlog_recovery_seconds", "gauge", _SHARD, "How long the last recovery took, up to its claim."),
    # -- inputs
    Metric("shardlog_input_settled_offset", "gauge", ("shard", "input"), "The first offset not settled by frames."),
    Metric("shardlog_input_lag_records", "gauge", ("shard", "input"), "Records known and not settled by frames."),
    Metric("shardlog_input_failing", "gauge", ("shard", "input"), "1 where the input could not be read last time."),
    # -- snapshots
    Metric(
        "shardlog_snapshot_taken_timestamp_seconds",
        "gauge",
        _SHARD,
        "When the newest snapshot was taken, seconds since 1970; 0 where none is known.",
    ),
    Metric("shardlog_snapshot_duration_seconds", "gauge", _SHARD, "How long the last written snapshot took."),
    Metric("shardlog_snapshot_bytes", "gauge", _SHARD, "Bytes of the last written snapshot, as stored."),
    Metric("shardlog_snapshots_written_total", "counter", _SHARD, "Snapshots written and read back."),
    Metric("shardlog_snapshots_failed_total", "counter", _SHARD, "Snapshots that could not be made."),
    # -- projector
    Metric("shardlog_projection_lag_records", "gauge", ("projection", "shard"), "Records of the journal not read yet."),
    Metric(
        "shardlog_projection_lag_events",
        "gauge",
        ("projection", "shard"),
        "About how many events not heard yet, 1 at least: the records, by what the records until now held.",
    ),
    Metric(
        "shardlog_projection_lag_seconds",
        "gauge",
        ("projection", "shard"),
        "How old the oldest record is that is not written yet; 0 where all is.",
    ),
    Metric("shardlog_projection_next_offset", "gauge", ("projection", "shard"), "The first offset not written yet."),
    Metric("shardlog_projection_heard_total", "counter", ("projection",), "Events and rejections that were heard."),
    Metric("shardlog_projection_dead_letters_total", "counter", ("projection",), "Dead letters that were written."),
    Metric(
        "shardlog_projection_open_dead_letters",
        "gauge",
        ("projection",),
        "Dead letters of the shards kept here that are to be retried or skipped.",
    ),
    Metric("shardlog_projection_stopped", "gauge", ("projection",), "1 where the projection has stopped."),
    Metric("shardlog_projection_batch_events", "histogram", ("projection",), "Events of committed batches."),
    Metric(
        "shardlog_projection_commit_seconds",
        "histogram",
        ("projection",),
        "How long committed batches took to be written, with what was tried again.",
    ),
    Metric("shardlog_projection_shards", "gauge", ("projection",), "Shards that this process keeps."),
    Metric(
        "shardlog_projection_moved_batches_total",
        "counter",
        ("projection",),
        "Batches that came to nothing since another process had moved a checkpoint.",
    ),
    Metric(
        "shardlog_projection_build_progress_ratio",
        "gauge",
        ("projection", "build"),
        "How much of the journal a build has read that is built beside the one that serves.",
    ),
    Metric("shardlog_projection_members", "gauge", ("projection",), "Processes that keep the projection in a group."),
    Metric("shardlog_projection_leases_failing", "gauge", (), "1 where leases could not be looked at last time."),
    # -- publisher
    Metric("shardlog_publisher_lag_records", "gauge", _SHARD, "Records of the journal with outputs to publish."),
    Metric("shardlog_publisher_next_offset", "gauge", _SHARD, "The first offset whose outputs are not published."),
    Metric("shardlog_publisher_records_total", "counter", (), "Events, replies and dead letters that were published."),
    Metric("shardlog_publisher_failing", "gauge", (), "How many things the publisher cannot do now."),
    # -- relay
    Metric("shardlog_relay_lag_records", "gauge", _SHARD, "Records of the journal that the relay has not read yet."),
    Metric("shardlog_relay_next_offset", "gauge", _SHARD, "The first offset that the relay has not read."),
    Metric("shardlog_relay_held_sends", "gauge", (), "Sends that were read and are not known to be received."),
    Metric("shardlog_relay_sends_total", "counter", (), "Sends that were read."),
    Metric("shardlog_relay_waiting_dead_letters", "gauge", (), "Dead letters of commands that are not stored yet."),
    Metric("shardlog_relay_failing", "gauge", (), "How many things the relay cannot do now."),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
"""By name, in the order in which they are shown."""
