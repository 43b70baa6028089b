"""The main job: feed the commands through four shards into the tables, and go on where an earlier run was ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from demo.application import SHARDS, application
from demo.feed import FlightsFeed
from demo.tables import TablesProcess
from shardlog.ports.inputs import Input
from shardlog.wiring.embedded import Embedded

LOOK_SECONDS = 0.1


class FeedInput(Input):
    """The feed as the executor wants it: an offset beside each record."""

    def __init__(self, feed: FlightsFeed) -> None:
        self._feed = feed

    @property
    def name(self) -> str:
        """The feed's name, with its digest."""
        return self._feed.name

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """What the feed has from `start`."""
        return list(enumerate(self._feed.read(shard, start, limit), start))


def run(feed: FlightsFeed, directory: Path, progress: Progress) -> None:
    """Execute what of the feed is not settled yet, and wait until the tables have it. Raises what stops the engine."""
    with Embedded(application, directory, shards=SHARDS, inputs=[FeedInput(feed)], projects=False) as engine:
        tables = TablesProcess(directory)
        tables.start()
        try:
            _watch(feed, engine, tables, progress)
        finally:
            tables.stop()


def _watch(feed: FlightsFeed, engine: Embedded, tables: TablesProcess, progress: Progress) -> None:
    """Draw the bars until all commands are settled and the tables have every frame."""
    total, start, began = feed.total(), engine.executor.settled(feed.name), time.monotonic()
    commands = progress.add_task("commands", total=total, completed=start, detail="")
    frames = progress.add_task("frames", total=None, detail="")
    while True:
        engine.raise_errors()
        settled = engine.executor.settled(feed.name)
        ends = [engine.journal.offsets(shard)[1] for shard in range(SHARDS)]
        read = tables.next()
        lag = sum(ends) - sum(read)
        rate = (settled - start) / (time.monotonic() - began)
        progress.update(commands, completed=settled, detail=f"{rate:,.0f}/s")
        progress.update(frames, total=sum(ends), completed=sum(read), detail=f"in the tables, {lag:,} behind")
        if settled == total and lag == 0:
            return
        time.sleep(LOOK_SECONDS)


def progress_bars() -> Progress:
    """Bars with counts and a line of detail."""
    return Progress(
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
