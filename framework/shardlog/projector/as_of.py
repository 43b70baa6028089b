"""A projection's tables as they were: built in a store of their own from a part of the journal, as a rebuild would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from shardlog.errors import HandlerFailed, HistoryMissing, ProjectionError
from shardlog.journal.reader import Reader
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build
from shardlog.ports.journal import Journal, Writer
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore
from shardlog.projector.core import Source
from shardlog.projector.cut import AsOf, Cut, cut_at_position, cut_at_time, end_of, refuse_foreign
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits


class Part(NamedTuple):
    """What of a journal belongs to an as-of. ends: by shard, the first offset that does not."""

    cut: Cut
    ends: Mapping[int, int]

    @property
    def records(self) -> int:
        """How many records the shards hold up to there."""
        return sum(self.ends.values())


class CutJournal(Journal):
    """A journal that ends earlier, and takes nothing new. Closing it leaves the journal open."""

    def __init__(self, journal: Journal, ends: Mapping[int, int]) -> None:
        self._journal = journal
        self._ends = ends

    def writer(self, shard: int) -> Writer:
        """Raises ProjectionError: the past is only read."""
        raise ProjectionError(f"shard {shard}: a journal as it was is only read, and a writer was asked for")

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        for offset, value in self._journal.read(shard, start):
            if offset >= self._ends[shard]:
                return
            yield offset, value

    def offsets(self, shard: int) -> tuple[int, int]:
        return self._journal.offsets(shard)[0], self._ends[shard]

    def truncate(self, shard: int, before: int) -> None:
        """Raises ProjectionError, as `writer`."""
        raise ProjectionError(f"shard {shard}: a journal as it was is only read, and not cut off below {before}")

    def close(self) -> None:
        """Nothing to free here."""


def part_of(
    as_of: AsOf, journal: Journal, source: Source, passed: Callable[[int], object] = lambda offset: None
) -> Part:
    """Look which records belong. They are read for it, and not decoded, as far as a time has to be found.

    passed: called with each offset. Raises InvalidToken for a token that names nothing of this journal, HistoryMissing
    where the beginning of a shard is cut off, and what stops a reader.
    """
    ends = {shard: whole_end(journal, shard) for shard in range(source.shards)}
    if isinstance(as_of, Position):
        refuse_foreign(as_of, source)
        cut = cut_at_position(as_of, source, journal.read(as_of.shard, 0), passed)
    else:
        cut = cut_at_time(as_of)
    for shard, end in ends.items():
        ends[shard] = end_of(cut, Reader(source.journal, shard, source.shards), journal.read(shard, 0), end, passed)
    return Part(cut, ends)


def whole_end(journal: Journal, shard: int) -> int:
    """The offset behind a shard's last record now. Raises HistoryMissing where the shard does not begin at 0."""
    earliest, end = journal.offsets(shard)
    if earliest:
        raise HistoryMissing(
            f"shard {shard}: the journal begins at offset {earliest}, and tables as they were are built from 0. What "
            "was before it stands in an archive, if there is one: read both as one (StitchedJournal), or take the "
            "tables from a backup of the database of that time"
        )
    return end


def build_as_of(
    part: Part,
    journal: Journal,
    source: Source,
    application: Application,
    projection: Projection,
    store: ProjectionStore,
    letters: Sequence[DeadLetter],
    limits: Limits,
    built: Callable[[int], object] = lambda records: None,
) -> int:
    """Fill an empty store. Returns how many events and rejections were heard.

    letters: the dead letters that the projection has where it serves: they are passed over, and what waits behind them
    too, as a rebuild does. built: called with how many records have been read. Raises HandlerFailed, naming the event,
    where any other one fails, and what stops a reader or a store.
    """
    build = Build(projection, 1)
    store.builds.begin(build, part.ends)  # what fails below these offsets stops it, and becomes no dead letter
    if letters:
        store.write(Batch(build, letters=[_open(letter) for letter in letters]))
    projector = Projector(
        CutJournal(journal, part.ends),
        source.journal,
        source.shards,
        application,
        [projection],
        store,
        limits,
        cut=part.cut,
    )
    done = 0
    try:
        while read := projector.step():
            done += read
            built(done)
    except HandlerFailed as error:
        raise HandlerFailed(f"the tables as they were cannot be built: {error}") from error
    return projector.handled[projection.name]


def _open(letter: DeadLetter) -> DeadLetter:
    """As the first of its stream: a store takes no parked one with nothing ahead, and what was ahead may be skipped."""
    if letter.state == "skipped":
        return letter
    return msgspec.structs.replace(letter, state="failed")
