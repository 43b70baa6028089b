"""What an operator does to projections from outside: the store and the journal, opened beside whoever keeps them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import msgspec

from shardlog.errors import BuildRefused, InvalidToken, ProjectionError
from shardlog.journal.reader import FrameTaken, Reader, ReaderState
from shardlog.model.application import Application
from shardlog.model.names import closest
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildKey, BuildRecord
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.projections import DeadLetter, ProjectionStore
from shardlog.projector.ages import frame_time_us
from shardlog.projector.choosing import kept, serving
from shardlog.projector.core import Source
from shardlog.projector.dead_letters import DeadLetters, follow_letters
from shardlog.projector.passing_over import Passage, pass_over_by_hand, passage
from shardlog.projector.skipping import skip_ahead
from shardlog.wiring.reading import OpenJournal, open_journal
from shardlog.wiring.settings import Settings
from shardlog.wiring.stores import ProjectionDatabase

RECORDS_LOOKED_AT = 1_000
"""So many records are looked at for a frame: claims and invalid ones stand between frames, rarely many."""


class ShardLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far a build is behind in one shard. next: the offset that it reads next. seconds: how old the oldest record
    is that it lacks."""

    shard: int
    next: int
    records: int
    seconds: float


class BuildStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A build and how far it is. dead_letters: by state."""

    record: BuildRecord
    lag: tuple[ShardLag, ...]
    dead_letters: Mapping[str, int]

    @property
    def records_behind(self) -> int:
        """Over all shards."""
        return sum(shard.records for shard in self.lag)

    @property
    def seconds_behind(self) -> float:
        """Of the shard that is behind most."""
        return max((shard.seconds for shard in self.lag), default=0.0)


class Operating:
    """The projections of an application, for one who operates them. Methods raise StoreUnavailable and StoreFailed."""

    def __init__(self, opened: OpenJournal, application: Application, store: ProjectionStore) -> None:
        self._opened = opened
        self._application = application
        self._store = store
        self._source = Source(opened.meta.journal, opened.meta.shards)

    def statuses(self, projection: str | None = None) -> Sequence[BuildStatus]:
        """Every build, of one projection or of all. Raises ProjectionError for one that there is not."""
        records = self._store.builds.records(projection)
        if projection is not None and not records:
            self._refuse_unknown(projection)
        return [self._status(record) for record in records]

    def keep(self, projection: str) -> Build:
        """The build that this code keeps. Raises BuildRefused where its version has none."""
        if projection not in self._application.projections:
            self._refuse_unknown(projection)
        found = self._application.projections[projection]
        record = kept(self._store.builds.records(projection), found)
        if record is None:
            raise BuildRefused(
                f"projection {projection!r} has no build of version {found.version} yet: start whoever keeps it, or "
                f"`shardlog rebuild {projection}`"
            )
        return Build(found, record.key.number)

    def dead_letters(self, projection: str, *, include_skipped: bool) -> list[DeadLetter]:
        """Those of the build that this code keeps, by stream in order."""
        return self._letters(projection).letters(include_skipped=include_skipped)

    def retry(self, projection: str, category: str, id: str) -> int:
        """Work through a stream's dead letters in order; returns how many. Raises HandlerFailed at one that fails."""
        return self._letters(projection).retry(category, id)

    def skip(self, projection: str, token: str) -> int | None:
        """Drop a stream's first dead letter for good; returns how many wait behind it.

        Where there is none and a build has stopped, that passes over the one event and goes on, and None comes back.
        Raises InvalidToken, and ProjectionError where there is neither.
        """
        position, letters = self._position(token), self._letters(projection)
        there = letters.letters()
        letter = next((letter for letter in there if letter.position == position), None)
        if letter is not None:
            letters.skip(position)
            return sum((other.category, other.id) == (letter.category, letter.id) for other in there) - 1
        found = self._application.projections[projection]
        stopped = [
            record
            for record in self._store.builds.records(projection)
            if record.key.version == found.version and record.state != "retired" and record.stopped
        ]
        if not stopped:
            raise ProjectionError(
                f"projection {projection!r} has no open dead letter at {token}, and it has not stopped: "
                f"`shardlog projections dead-letters {projection}` shows which there are"
            )
        for record in stopped:
            build = Build(found, record.key.number)
            about = (self._opened.journal, self._source, self._application, self._store, build)
            skip_ahead(*about, position, f"skipped by hand; it stopped the projection: {record.stopped}")
            self._store.builds.resume(record.key)
        return None

    def pause(self, projection: str, *, is_paused: bool) -> BuildKey:
        """Let nobody write the rows of the build that this code keeps, or let them be written again."""
        key = self.keep(projection).key
        self._store.builds.pause(key, is_paused=is_paused)
        if not is_paused:
            self._store.builds.resume(key)
        return key

    def passage(self, projection: str, token: str) -> Passage:
        """What the build that this code keeps would lack behind a position. Raises InvalidToken, BuildRefused."""
        target, build = self._position(token), self.keep(projection)
        about = (self._opened.journal, self._source, self._application, self._store, build)
        return passage(*about, target.shard, target.offset + 1)

    def pass_over(self, projection: str, passed: Passage) -> None:
        """Move the build that this code keeps behind these records, and let it go on there. Raises CheckpointMoved."""
        build = self.keep(projection)
        pass_over_by_hand(self._store, build, passed)
        self._store.builds.resume(build.key)

    def switch(self, key: BuildKey, behind_max: int | None) -> None:
        """Let the views show this build, with the dead letters settled that are settled where it takes over from.

        Those of another version than this code's are left to code of that version. Raises BuildRefused, BuildBehind,
        and CheckpointMoved where somebody else settles letters now.
        """
        served = serving(self._store.builds.records(key.projection), key.projection)
        self._follow(key, served)
        self._store.builds.switch(key, self._ends(), behind_max=behind_max)
        self._follow(key, served)  # those that were settled in the meantime

    def _follow(self, key: BuildKey, served: BuildRecord | None) -> None:
        projection = self._application.projections.get(key.projection)
        if served is None or served.key == key or projection is None or projection.version != key.version:
            return
        follow_letters(self._application, self._store, Build(projection, key.number), served.key)

    def drop(self, key: BuildKey) -> None:
        """Drop a build with its tables. Raises BuildRefused for the one that serves."""
        self._store.builds.drop(key)

    def _position(self, token: str) -> Position:
        position, source = Position.parse(token), self._source
        if position.journal != source.journal:
            raise ProjectionError(f"the token is of journal {position.journal}, and this is {source.journal}")
        if position.shard >= source.shards:
            raise InvalidToken(
                f"the token {token} is of shard {position.shard}, and this journal has {source.shards} shards, from 0: "
                "copy it from `shardlog projections list` or `dead-letters`"
            )
        return position

    def _letters(self, projection: str) -> DeadLetters:
        return DeadLetters(self._application, self.keep(projection), self._store)

    def _ends(self) -> dict[int, int]:
        return {shard: self._opened.journal.offsets(shard)[1] for shard in range(self._opened.meta.shards)}

    def _status(self, record: BuildRecord) -> BuildStatus:
        stored = self._store.stored(record.key)
        lag = [self._lag(shard, stored.checkpoints.get(shard), end) for shard, end in self._ends().items()]
        return BuildStatus(record=record, lag=tuple(lag), dead_letters=Counter(one.state for one in stored.letters))

    def _lag(self, shard: int, held: Checkpoint | None, end: int) -> ShardLag:
        next = 0 if held is None else held.next
        seconds = 0.0
        if next < end:
            time_us = self._oldest_us(shard, held)
            seconds = max(0.0, time.time() - time_us / 1_000_000) if time_us else 0.0
        return ShardLag(shard=shard, next=next, records=max(0, end - next), seconds=round(seconds, 3))

    def _oldest_us(self, shard: int, held: Checkpoint | None) -> int:
        """When the oldest frame behind a checkpoint was recorded, in microseconds since 1970 UTC; 0 for none."""
        source = self._source
        fresh = Reader(source.journal, shard, source.shards)
        reader = fresh if held is None else Reader.from_state(ReaderState(*held))
        for offset, value in islice(self._opened.journal.read(shard, reader.position), RECORDS_LOOKED_AT):
            verdict = reader.pass_over(offset, value)
            if isinstance(verdict, FrameTaken):
                return frame_time_us(verdict.body)
        return 0

    def _refuse_unknown(self, projection: str) -> None:
        known = self._application.projections
        there = ", ".join(known) or "none"
        raise ProjectionError(f"there is no projection {projection!r}{closest(projection, known)}; there are: {there}")


@contextmanager
def operating(settings: Settings, application: Application) -> Iterator[Operating]:
    """The projections of these settings. Raises JournalMismatch where there is no journal, JournalUnavailable,
    ProjectionError where nobody has kept tables yet, StoreUnavailable and StoreFailed."""
    database = ProjectionDatabase.of(settings)
    with open_journal(settings.directory, settings.kafka) as opened:
        if not database.exists:
            raise ProjectionError(f"there is no {database.file}: nobody has kept projections there yet")
        store = database.open_store()
        try:
            yield Operating(opened, application, store)
        finally:
            store.close()
