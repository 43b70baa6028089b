"""What an operator lets a projection pass over: its checkpoint moves, and no row knows of the records between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from shardlog.errors import BuildRefused, UnknownFormat
from shardlog.journal.reader import FrameTaken, Reader, ReaderState
from shardlog.model.application import Application
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.journal import Journal
from shardlog.ports.projections import Batch, ProjectionStore
from shardlog.projector.core import Source
from shardlog.projector.heard import FrameReader


class Passage(NamedTuple):
    """Records of a shard from `start` up to `before`, and what a projection would have heard there.

    events: and rejections. unreadable: frames that this code does not decode, whose events are not among them.
    """

    move: Move
    start: int
    before: int
    events: int
    unreadable: int

    @property
    def records(self) -> int:
        """How many."""
        return self.before - self.start


def passage(
    journal: Journal,
    source: Source,
    application: Application,
    store: ProjectionStore,
    build: Build,
    shard: int,
    before: int,
) -> Passage:
    """What a build lacks if it goes on at an offset of a shard; nothing is written.

    The records between are read by the reader's rule, so that the checkpoint is one that the journal leads to. Raises
    BuildRefused for an offset that the build has passed already, or that the journal does not reach, and JournalError.
    """
    old = store.stored(build.key).checkpoints.get(shard)
    start, end = 0 if old is None else old.next, journal.offsets(shard)[1]
    if not start < before <= end:
        raise BuildRefused(
            f"build {build.key.label} has read shard {shard} up to offset {start}, the journal ends at {end}, and it "
            f"was to go on at {before}: it can be let go on behind what it has read, up to that end. To hear again "
            f"what it has heard, rebuild the projection: rows that count would count twice"
        )
    reader = Reader(source.journal, shard, source.shards) if old is None else Reader.from_state(ReaderState(*old))
    frames = FrameReader(application, [build.projection], source.journal)
    events = unreadable = 0
    for offset, value in journal.read(shard, start):
        if offset >= before:
            break
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            try:
                events += len(frames.read(shard, offset, verdict.body))
            except UnknownFormat:  # perhaps why it is passed over
                unreadable += 1
    return Passage(Move(old, Checkpoint(*reader.state)), start, before, events, unreadable)


def pass_over_by_hand(store: ProjectionStore, build: Build, passed: Passage) -> None:
    """Let a build go on behind these records, and say in its record what it has not heard.

    There is no way back but a new build: what was counted would be counted twice. Raises CheckpointMoved where a worker
    has moved it meanwhile.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    heard = f"{passed.events} event{'' if passed.events == 1 else 's'}"
    unread = f" and {passed.unreadable} frames that could not be read" if passed.unreadable else ""
    told = f"shard {passed.move.new.shard}: offsets {passed.start} to {passed.before - 1}, {heard}{unread}, at {now}. "
    store.write(Batch(build, [passed.move], passed_over=told))
