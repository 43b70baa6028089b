"""Validation at a start: code that is another than the one that wrote a snapshot must lead to the same state.

It replays from the snapshot before the newest one, or from the journal's beginning, to the newest, in a process with a
hash seed of its own. Where the application's domains cannot be imported there (they were made in a script, or in a
function), it replays in this process.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ReplayDiffers, SnapshotUnusable
from shardlog.journal.control import Meta
from shardlog.model.application import Application
from shardlog.model.domain import Domain
from shardlog.ports.journal import Journal
from shardlog.snapshots.manifest import Manifest
from shardlog.snapshots.store import ShardSnapshots
from shardlog.wiring.replay_tasks import Answer, Failed, Reached, ShardTask, StopAt, Task, do, run
from shardlog.wiring.snapshots_read import FOLDER
from shardlog.wiring.snapshotting import shard_snapshots
from shardlog.wiring.verify_report import changed_text

HASH_SEED = 1
log = logging.getLogger("shardlog.verification")


class Started(NamedTuple):
    """What is about to be served. code: digest of the code at hand. kafka: settings of a journal on Kafka.

    shards: those to be compared; None for all.
    """

    directory: Path
    meta: Meta
    journal: Journal
    application: Application
    code: str
    kafka: KafkaSettings | None = None
    shards: Collection[int] | None = None


def validate_start(started: Started, when: Literal["changed", "always"]) -> None:
    """Raises ReplayDiffers where the code leads to another state than a newest snapshot holds."""
    folder = started.directory / FOLDER
    if not folder.is_dir():
        return
    objects = FilesystemObjects(folder)
    try:
        tasks = [
            task
            for shard in (range(started.meta.shards) if started.shards is None else sorted(started.shards))
            if (task := _plan(started, shard, _of(objects, started, shard), when)) is not None
        ]
    finally:
        objects.close()
    if not tasks:
        return
    log.info("the code is another than the one that wrote the snapshots of %d shards: replaying them", len(tasks))
    for answer in _answers(started, tasks):
        _judge(started, answer)


def references(application: Application) -> tuple[str, ...] | None:
    """Where the application's domains can be imported from, each as `module:name`; None where one cannot."""
    found = {
        id(value): f"{module}:{name}"
        for module, contents in list(sys.modules.items())
        if module != "__main__"
        for name, value in list(getattr(contents, "__dict__", {}).items())
        if type(value) is Domain and name.isidentifier()
    }
    known = [found.get(id(domain)) for domain in application.domains]
    return None if None in known else tuple(name for name in known if name is not None)


def _of(objects: FilesystemObjects, started: Started, shard: int) -> ShardSnapshots:
    return shard_snapshots(objects, started.application, started.meta.journal, shard)


def _plan(
    started: Started, shard: int, snapshots: ShardSnapshots, when: Literal["changed", "always"]
) -> ShardTask | None:
    """The newest snapshot that this code reads, and what to replay from to it; None for nothing to be done."""
    usable: Sequence[Manifest] = list(_usable(snapshots))[:2]
    if not usable or (when == "changed" and usable[0].about.code == started.code):
        return None
    start = usable[1].about.key.stem if len(usable) > 1 else ""
    if not start and started.journal.offsets(shard)[0]:
        log.warning("shard %d: the journal's beginning is cut off and there is one snapshot: not validated", shard)
        return None
    newest = usable[0].about
    return ShardTask(shard, start, (StopAt(newest.next, newest.key.stem),))


def _usable(snapshots: ShardSnapshots) -> Iterator[Manifest]:
    for key in snapshots.candidates():
        try:
            yield snapshots.open(key).manifest
        except SnapshotUnusable:
            continue  # recovery says so, and does not load it either


def _answers(started: Started, tasks: Sequence[ShardTask]) -> Iterator[Answer]:
    domains = references(started.application)
    task = Task(
        mode="digests",
        directory=str(started.directory.resolve()),
        domains=domains or (),
        paths=tuple(str(Path(path).resolve()) for path in sys.path),
        shards=tuple(tasks),
        kafka=started.kafka,
    )
    if domains is not None:
        yield from run(task, HASH_SEED)
        return
    told: list[Answer] = []
    do(task, started.application, told.append)
    yield from told


def _judge(started: Started, answer: Answer) -> None:
    remedy = (
        "Deploy the code that wrote the snapshot. Where the change is meant, delete the folder "
        f"{started.directory / FOLDER}: then this code replays the whole journal, and its states count"
    )
    if isinstance(answer, Failed):
        if answer.kind in ("ReplayFailed", "UnknownFormat"):
            raise ReplayDiffers(answer.shard, "", answer.text)
        log.warning("shard %d: not validated: %s", answer.shard, answer.text)
    elif isinstance(answer, Reached) and answer.explained is not None:
        example = answer.explained.examples[0]
        raise ReplayDiffers(
            answer.shard,
            f"{example.category}/{example.id}",
            f"{changed_text(example, answer.snapshot)}; {answer.explained.streams} stream(s) differ. {remedy}",
        )
