"""Replays in processes of their own: what is asked of one, what it answers, and how it is run with a hash seed.

The child is `python -m shardlog.wiring.replay_tasks`: one task as JSON in, answers as lines of JSON out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalError, ObjectStoreError, ShardlogError, SnapshotUnusable
from shardlog.executor.state import Shard
from shardlog.inspection.history import History
from shardlog.journal.reader import Reader
from shardlog.model.application import Application
from shardlog.snapshots.reading import Snapshot
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.store import ShardSnapshots
from shardlog.verification.explaining import Explained, explain
from shardlog.verification.replaying import ShardReplay, slot_digest
from shardlog.wiring.loading import load_application
from shardlog.wiring.reading import OpenJournal, open_journal
from shardlog.wiring.settings import ApplicationSettings
from shardlog.wiring.snapshots_read import FOLDER
from shardlog.wiring.snapshotting import shard_snapshots

TELL_EVERY = 200
"""Records between two answers that say how far a replay is."""


class StopAt(msgspec.Struct, frozen=True):
    """Where a replay stops. snapshot: the key of one that stands there, and is compared; empty for none."""

    offset: int
    snapshot: str = ""


class ShardTask(msgspec.Struct, frozen=True):
    """One shard. start: key of the snapshot to begin with, empty for the beginning of the journal."""

    shard: int
    start: str
    stops: tuple[StopAt, ...]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """digests: of the state at every stop. streams: of every stream at the last stop. trace: of one stream's steps.

    domains: references to what is replayed. paths: where modules are looked for. stream: `category/id`, for a trace.
    kafka: settings of a journal on Kafka; the child gets them, secrets too, through a pipe.
    """

    mode: Literal["digests", "streams", "trace"]
    directory: str
    domains: tuple[str, ...]
    paths: tuple[str, ...]
    shards: tuple[ShardTask, ...]
    stream: str = ""
    kafka: KafkaSettings | None = None


class Passed(msgspec.Struct, frozen=True, tag_field="answer", tag="passed"):
    """So many records more."""

    records: int


class Reached(msgspec.Struct, frozen=True, tag_field="answer", tag="reached"):
    """The state at a stop. snapshot: the key of the one there. explained: where it holds another state."""

    shard: int
    offset: int
    digest: str
    snapshot: str = ""
    explained: Explained | None = None


class Found(msgspec.Struct, frozen=True, tag_field="answer", tag="found"):
    """One stream's state at the last stop, or behind one event of a trace. type: of that event."""

    stream: str
    version: int
    digest: str
    type: str = ""
    offset: int = 0


class Failed(msgspec.Struct, frozen=True, tag_field="answer", tag="failed"):
    """A shard's replay ended in an error. kind: its class."""

    shard: int
    kind: str
    text: str


Answer: TypeAlias = Passed | Reached | Found | Failed
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode


def run(task: Task, hash_seed: int) -> Iterator[Answer]:
    """Do the task in a process with this hash seed. Raises ShardlogError where it ends otherwise than by answers."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(task.paths)}
    child = subprocess.Popen(
        [sys.executable, "-m", "shardlog.wiring.replay_tasks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(_encode(task))
        child.stdin.close()
        for line in child.stdout:
            yield _decode(line)
        if child.wait() != 0:
            raise ShardlogError(
                f"the process that replayed ended with code {child.returncode}: what it said stands above; repair "
                "that, and verify again"
            )
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def do(task: Task, application: Application, tell: Callable[[Answer], object]) -> None:
    """Do the task here. What is wrong with a shard is told as Failed, and the others go on."""
    with open_journal(Path(task.directory), task.kafka) as opened:
        objects = FilesystemObjects(opened.directory / FOLDER)
        try:
            for shard in task.shards:
                snapshots = shard_snapshots(objects, application, opened.meta.journal, shard.shard)
                try:
                    _Doing(task, opened, application, snapshots, tell).shard(shard)
                except (JournalError, SnapshotUnusable, ObjectStoreError) as error:
                    tell(Failed(shard.shard, type(error).__name__, str(error)))
        finally:
            objects.close()


class _Doing:
    """One shard of a task."""

    def __init__(
        self,
        task: Task,
        opened: OpenJournal,
        application: Application,
        snapshots: ShardSnapshots,
        tell: Callable[[Answer], object],
    ) -> None:
        self._task = task
        self._opened = opened
        self._application = application
        self._snapshots = snapshots
        self._tell = tell

    def shard(self, task: ShardTask) -> None:
        start = self._snapshot(task.start)
        if self._task.mode == "trace":
            self._trace(task, start)
            return
        replay = self._begin(task, start)
        for stop in task.stops:
            self._advance(replay, stop.offset)
            if self._task.mode == "digests":
                self._tell(self._reached(replay, stop, start))
        if self._task.mode == "streams":
            for stream in replay.streams():
                self._tell(Found(f"{stream.category}/{stream.id}", stream.version, stream.digest))

    def _begin(self, task: ShardTask, start: Snapshot | None) -> ShardReplay:
        meta = self._opened.meta
        shard = Shard(meta.journal, task.shard, meta.shards)
        return ShardReplay(self._application, self._opened.journal, shard, start)

    def _advance(self, replay: ShardReplay, offset: int) -> None:
        told = replay.reader.position
        for passed in replay.advance(offset):
            if passed - told >= TELL_EVERY:
                self._tell(Passed(passed - told))
                told = passed
        self._tell(Passed(max(0, replay.reader.position - told)))

    def _reached(self, replay: ShardReplay, stop: StopAt, start: Snapshot | None) -> Reached:
        digest = replay.digest()
        snapshot = self._snapshot(stop.snapshot)
        if snapshot is None:
            return Reached(replay.shard.number, stop.offset, digest)
        agrees = digest == snapshot.manifest.state_digest
        explained = None if agrees else explain(replay, snapshot, self._opened.journal, start)
        return Reached(replay.shard.number, stop.offset, digest, stop.snapshot, explained)

    def _trace(self, task: ShardTask, start: Snapshot | None) -> None:
        category, _, id = self._task.stream.partition("/")
        stream = self._application.aggregates[category].stream(id)
        meta = self._opened.meta
        if start is None:
            history = History(stream, Reader(meta.journal, task.shard, meta.shards))
        else:
            history = History.behind(stream, start)
        for step in history.read(self._opened.journal):
            if step.position.offset >= task.stops[-1].offset:
                return
            digest = slot_digest(Slot(step.version, step.state))
            self._tell(Found(self._task.stream, step.version, digest, step.type, step.position.offset))

    def _snapshot(self, stem: str) -> Snapshot | None:
        if not stem:
            return None
        for key in self._snapshots.candidates():
            if key.stem == stem:
                return self._snapshots.open(key)
        raise SnapshotUnusable(stem, "it was deleted meanwhile: verify again")


def main() -> None:
    """The child's."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # what the domain's code prints is no answer

    def tell(answer: Answer) -> None:
        out.write(_encode(answer) + b"\n")
        out.flush()

    do(task, load_application(ApplicationSettings(domains=task.domains)), tell)


if __name__ == "__main__":
    main()
