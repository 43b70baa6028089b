"""What a shard shows of itself to metrics: read from any thread, while the build thread goes on."""

from __future__ import annotations

from shardlog.executor.core import ExecutorCore
from shardlog.executor.inputs import ShardInputs
from shardlog.executor.mode import Mode
from shardlog.executor.queue import RequestQueue
from shardlog.executor.snapshotting import Snapshotting
from shardlog.journal.writer import JournalWriter
from shardlog.telemetry.figures import ShardFigures


def shard_figures(
    mode: Mode,
    core: ExecutorCore,
    writer: JournalWriter,
    queue: RequestQueue,
    inputs: ShardInputs,
    snapshots: Snapshotting | None,
) -> ShardFigures:
    """All of it, without I/O. Each figure is right for itself; between two of them a frame may have been counted."""
    reader = writer.reader
    return ShardFigures(
        shard=core.shard.number,
        mode=mode.value,
        modes=tuple(known.value for known in type(mode)),
        epoch=reader.epoch,
        next=reader.position,
        queued=len(queue),
        pending=core.pending,
        counts=core.counts,
        invalid=dict(reader.invalid),
        unserved=queue.unserved.all(),
        inputs=inputs.figures(dict(core.settled)),
        snapshots=None if snapshots is None else snapshots.figures(),
    )
