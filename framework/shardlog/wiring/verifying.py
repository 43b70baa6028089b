"""Verification of a journal directory: the chain of every shard, and that its code still leads to the same states.

Two processes with hash seeds of their own replay each shard, from an older snapshot over a newer one to the end. Their
states must be equal to each other, and to what the newer snapshot holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from shardlog.errors import JournalError
from shardlog.journal.reader import Reader
from shardlog.model.application import Application
from shardlog.snapshots.manifest import Manifest
from shardlog.verification.explaining import EXAMPLES_MAX, first_difference
from shardlog.wiring.reading import OpenJournal
from shardlog.wiring.replay_tasks import Answer, Failed, Found, Passed, Reached, ShardTask, StopAt, Task, run
from shardlog.wiring.snapshots_checked import CheckedSnapshots, checked_snapshots
from shardlog.wiring.verify_report import Problem, Report, ShardVerified, behind, changed

HASH_SEEDS = (1, 4_242)
_DIFFERS = frozenset({"ReplayFailed", "UnknownFormat"})


def verify(
    opened: OpenJournal,
    application: Application,
    domains: Sequence[str],
    *,
    from_start: bool = False,
    passed: Callable[[int], object] = lambda records: None,
) -> Report:
    """Look at every shard. domains: references of the application's domains, for the processes that replay.

    from_start: replay from the journal's beginning, whatever snapshots there are. passed: told records as they are
    read; each is read three times. Raises ShardlogError where a replay cannot be run at all.
    """
    return _Verification(opened, application, tuple(domains), from_start, passed).report()


class _Verification:
    def __init__(
        self,
        opened: OpenJournal,
        application: Application,
        domains: tuple[str, ...],
        from_start: bool,
        passed: Callable[[int], object],
    ) -> None:
        self._opened = opened
        self._application = application
        self._domains = domains
        self._from_start = from_start
        self._passed = passed
        self._problems: list[Problem] = []

    def report(self) -> Report:
        """Walk, replay twice, compare."""
        usable = {
            shard: checked_snapshots(self._opened, self._application, shard)
            for shard in range(self._opened.meta.shards)
        }
        for shard, found in usable.items():
            self._problems += [Problem(kind="damaged", shard=shard, text=text) for text in found.damaged]
        whole = [shard for shard, found in usable.items() if self._walk(shard, found.manifests)]
        tasks = [task for shard in whole if (task := self._plan(shard, usable[shard].manifests)) is not None]
        self._replay(tasks)
        by_shard = {task.shard: task for task in tasks}
        return Report(
            shards=tuple(self._verified(shard, by_shard.get(shard), found) for shard, found in usable.items()),
            problems=tuple(self._problems),
        )

    # -- the chain ---------------------------------------------------------------------------------------------------
    def _walk(self, shard: int, manifests: Sequence[Manifest]) -> bool:
        """Every record's checksum, the chain, and that snapshots stand on it. False where a replay is of no use."""
        earliest, _ = self._opened.journal.offsets(shard)
        reader = self._opened.reader(shard)
        if earliest:
            standing = [m for m in manifests if m.about.next >= earliest]
            if not standing:
                text = f"the journal begins at offset {earliest}, and no snapshot that this code reads stands behind it"
                self._problems.append(Problem(kind="damaged", shard=shard, text=text))
                return False
            reader = Reader.from_state(standing[0].about.reader)
        stands = {m.about.next: m for m in manifests}
        try:
            for offset, value in self._opened.journal.read(shard, reader.position):
                reader.pass_over(offset, value)
                self._passed(1)
                there = stands.get(reader.position)
                if there is not None and there.about.head != reader.head:
                    text = f"snapshot {there.about.key.stem} stands on another chain than the journal has: delete it"
                    self._problems.append(Problem(kind="damaged", shard=shard, text=text))
        except JournalError as error:
            self._problems.append(Problem(kind="damaged", shard=shard, text=str(error)))
            return False
        return True

    def _plan(self, shard: int, manifests: Sequence[Manifest]) -> ShardTask | None:
        """From the last snapshot but one to the last, or from the beginning; and to the end. None for an empty one."""
        earliest, end = self._opened.journal.offsets(shard)
        start, targets = "", list(manifests)
        if earliest or (len(manifests) > 1 and not self._from_start):
            first = max(0, len(manifests) - 2)
            start, targets = manifests[first].about.key.stem, list(manifests[first + 1 :])
        elif not self._from_start:
            targets = targets[-1:]
        stops = [StopAt(m.about.next, m.about.key.stem) for m in targets if m.about.next <= end]
        if not stops or stops[-1].offset < end:
            stops.append(StopAt(end))
        return ShardTask(shard, start, tuple(stops)) if end else None

    # -- replays -------------------------------------------------------------------------------------------------------
    def _task(
        self, mode: Literal["digests", "streams", "trace"], shards: Sequence[ShardTask], stream: str = ""
    ) -> Task:
        return Task(
            mode=mode,
            directory=str(self._opened.directory.resolve()),
            domains=self._domains,
            paths=tuple(path for path in sys.path if path),
            shards=tuple(shards),
            stream=stream,
            kafka=self._opened.kafka,
        )

    def _replay(self, tasks: Sequence[ShardTask]) -> None:
        one, other = self._twice(self._task("digests", tasks))
        failed = {answer.shard for answer in (*one, *other) if isinstance(answer, Failed)}
        for answer in {(a.shard, a.text): a for a in (*one, *other) if isinstance(a, Failed)}.values():
            kind: Literal["damaged", "changed"] = "changed" if answer.kind in _DIFFERS else "damaged"
            self._problems.append(Problem(kind=kind, shard=answer.shard, text=answer.text))
        mine, theirs = _by_place(one), _by_place(other)
        for task in tasks:
            if task.shard in failed:
                continue
            places = [(task.shard, stop.offset) for stop in task.stops]
            if any(mine[place].digest != theirs[place].digest for place in places):
                self._problems += self._unrepeatable(task)
            else:
                for place in places:
                    self._problems += changed(mine[place])

    def _twice(self, task: Task) -> tuple[list[Answer], list[Answer]]:
        """In two processes at once, with two hash seeds."""
        with ThreadPoolExecutor(len(HASH_SEEDS)) as threads:
            one, other = threads.map(lambda seed: list(self._answers(task, seed)), HASH_SEEDS)
        return one, other

    def _answers(self, task: Task, seed: int) -> Iterator[Answer]:
        for answer in run(task, seed):
            if isinstance(answer, Passed):
                self._passed(answer.records)
            else:
                yield answer

    def _unrepeatable(self, task: ShardTask) -> Iterator[Problem]:
        """Two replays differ: which streams, and behind which event."""
        one, other = self._twice(self._task("streams", [task]))
        mine, theirs = ({a.stream: a.digest for a in side if isinstance(a, Found)} for side in (one, other))
        differing = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        for stream in differing[:EXAMPLES_MAX]:
            traces = [
                [msgspec.structs.asdict(a) for a in side if isinstance(a, Found)]
                for side in self._twice(self._task("trace", [task], stream))
            ]
            event = first_difference(*traces)
            yield Problem(
                kind="unrepeatable",
                shard=task.shard,
                stream=stream,
                event=event,
                text=f"two replays lead {stream} to different states{behind(event)}: evolve depends on something "
                "beside state and event, such as the clock, randomness, or the order of a set",
            )
        if len(differing) > EXAMPLES_MAX:
            text = f"{len(differing) - EXAMPLES_MAX} streams more differ between two replays"
            yield Problem(kind="unrepeatable", shard=task.shard, text=text)
        if not differing:
            text = "two replays differ, and a third and fourth do not: evolve depends on the clock or on randomness"
            yield Problem(kind="unrepeatable", shard=task.shard, text=text)

    def _verified(self, shard: int, task: ShardTask | None, found: CheckedSnapshots) -> ShardVerified:
        return ShardVerified(
            shard=shard,
            records=self._opened.records(shard),
            start="" if task is None else task.start,
            compared=() if task is None else tuple(stop.snapshot for stop in task.stops if stop.snapshot),
            left_out=tuple(found.left_out),
        )


def _by_place(answers: Sequence[Answer]) -> Mapping[tuple[int, int], Reached]:
    return {(answer.shard, answer.offset): answer for answer in answers if isinstance(answer, Reached)}
