"""One projection's way through the log: batches written with checkpoints, and what happens when one is refused."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from time import monotonic
from typing import Annotated

import msgspec
import stamina

from shardlog.errors import (
    CheckpointMoved,
    DomainError,
    RowsRefused,
    ShardlogError,
    StoreUnavailable,
)
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildRecord, BuildState
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.projections import Batch, ProjectionStore
from shardlog.projector.ages import Ages
from shardlog.projector.core import Source, moves, next_offsets
from shardlog.projector.draft import Draft, Listener, Why
from shardlog.projector.outage import Outage
from shardlog.projector.parking import Parking
from shardlog.projector.row_owners import RowOwners
from shardlog.ranges import check_ranges
from shardlog.telemetry.counts import ProjectionCounts
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import ProjectionFigures

log = logging.getLogger("shardlog.projector")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a projector. Raises ConfigurationError for one out of its range."""

    batch_frames_max: Annotated[int, msgspec.Meta(ge=1)] = 256
    """Records of one transaction, over all shards; each shard that is behind has at least one."""
    batch_bytes_max: Annotated[int, msgspec.Meta(ge=1)] = 32 * 1024 * 1024
    """Bytes of these records; a single one may be larger. They are in memory while they are written."""
    ahead_bytes_max: Annotated[int, msgspec.Meta(ge=1)] = 4 * 1024 * 1024
    """The same where the next batch is heard while one is written (PostgreSQL); the smaller one counts. Three of these
    batches may be in memory."""
    dead_letters_max: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    """Dead letters of one projection; the next one stops it."""
    write_attempts_max: Annotated[int, msgspec.Meta(ge=1)] = 10
    """How often a batch is tried while the store is unavailable."""
    write_deadline_s: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """How long it is tried."""
    replans_max: Annotated[int, msgspec.Meta(ge=0)] = 10
    """How often a batch is planned anew where no event is at fault: dead letters were settled by hand meanwhile, or the
    store refused rows that it takes when they are tried again."""
    turn_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 1_000
    """How long a projection goes on with batch after batch in one turn, and reads each while the one before is written;
    0: one batch a turn, as always elsewhere than in PostgreSQL."""
    lease_ms: Annotated[int, msgspec.Meta(ge=300, le=86_400_000)] = 5_000
    """How long a process of a group keeps its shards without saying that it lives; it says so three times as often."""

    def __post_init__(self) -> None:
        check_ranges(self, "projector")


class Outdated(CheckpointMoved):
    """No checkpoint has moved: dead letters were settled by another worker after they were read here.

    The batch is planned again.
    """


class Worker:
    """One projection, in one build. It owns its checkpoints and knows its dead letters; `load` reads both.

    build: None until it has one. state, is_paused, attempt: as its record was when it was last looked at.
    stopped: why it works no more; None while it does. noted: the `stopped` that stands in the record. refused: why a
    build that has caught up is not switched to; it is tried again from `switch_at_s` on. handled: events and rejections
    that it has heard, in all. lettered: dead letters that it has written, in all. overtaken: shards that another worker
    had moved when this one last found a checkpoint moved. shards: that it serves, whose checkpoints alone it loads.
    """

    def __init__(
        self,
        listener: Listener,
        store: ProjectionStore,
        source: Source,
        limits: Limits,
        owners: RowOwners | None,
        outage: Outage,
    ) -> None:
        self.listener = listener
        self.build: Build | None = None
        self.state: BuildState = "building"
        self.is_paused = False
        self.attempt = 0
        self.stopped: ShardlogError | None = None
        self.noted: ShardlogError | None = None
        self.refused: ShardlogError | None = None
        self.switch_at_s = 0.0
        self.handled = 0
        self.lettered = 0
        self.overtaken: frozenset[int] = frozenset()
        self.shards: Collection[int] = range(source.shards)
        self.checkpoints: Mapping[int, Checkpoint] = {}
        self.ages = Ages()
        self.counts = ProjectionCounts()
        self._parking = Parking.none()
        self._store = store
        self._source = source
        self._limits = limits
        self._owners = owners
        self._outage = outage

    @property
    def name(self) -> str:
        """The projection's name."""
        return self.listener.projection.name

    @property
    def is_working(self) -> bool:
        """Whether it writes batches now."""
        return self.build is not None and self.stopped is None and not self.is_paused

    def enter(self, record: BuildRecord) -> None:
        """Keep this build from now on; `load` finds where it stands."""
        self.build = Build(self.listener.projection, record.key.number)
        self.state, self.is_paused, self.attempt = record.state, record.is_paused, record.attempt
        self.refused, self.switch_at_s = None, 0.0
        self.checkpoints = {}
        self._parking = Parking.none()

    def figures(self, ends: Mapping[int, int], now_us: int) -> ProjectionFigures:
        """What it shows of itself to metrics. From any thread, without I/O. ends: of its shards, as last known."""
        next, ages = next_offsets(self.checkpoints), self.ages.lag_s(now_us)
        return ProjectionFigures(
            name=self.name,
            is_stopped=self.stopped is not None,
            handled=self.handled,
            dead_letters=self.lettered,
            open_letters=sum(number for shard, number in self._parking.open.items() if shard in self.shards),
            next=next,
            end=ends,
            lag_s={shard: ages.get(shard, 0.0) if next.get(shard, 0) < end else 0.0 for shard, end in ends.items()},
            counts=self.counts,
            building=self.progress(ends),
        )

    def progress(self, ends: Mapping[int, int]) -> dict[str, float]:
        """While its build stands beside the one that serves: by the build, how much it has read, 0 to 1."""
        if self.build is None or self.state != "building":
            return {}
        read = next_offsets(self.checkpoints)
        end = sum(ends.values())
        return {
            self.build.key.label: sum(min(read.get(shard, 0), e) for shard, e in ends.items()) / end if end else 1.0
        }

    def load(self) -> None:
        """Read checkpoints and dead letters from the store, with patience."""
        for attempt in self._attempts():
            with attempt:
                self._load()
        self._outage.passed(self.name)

    def look_at_letters(self) -> None:
        """See which of its open dead letters somebody has settled. Raises StoreUnavailable and StoreFailed."""
        if self._parking.parked:
            stored = self._store.stored(self._kept.key)
            self._parking = Parking(stored, stored.checkpoints)

    def _load(self) -> None:
        stored = self._store.stored(self._kept.key)
        self.checkpoints = {shard: held for shard, held in stored.checkpoints.items() if shard in self.shards}
        self._parking = Parking(stored, stored.checkpoints)

    def goes_on_from(self, draft: Draft) -> bool:
        """Whether what follows a draft can be heard before that is written.

        It can where nothing is known of dead letters ahead, and none comes of the draft: they decide what is heard.
        """
        return draft.is_plain and not self._parking.decided and self._owners is None

    def draft(self, condemned: Mapping[Position, Why] | None = None) -> Draft:
        """An empty draft of the next batch."""
        return Draft(self.listener, self._parking, condemned or {}, self._limits.dead_letters_max, self._owners)

    def finish(self, draft: Draft, checkpoints: Mapping[int, Checkpoint]) -> None:
        """Write a draft, and the checkpoints that it leads to.

        Raises RowsRefused or DomainError where the rows of some event do not fit, and then nothing has been written.
        """
        batch = self.batch(draft, checkpoints)
        self.committed(draft, batch, checkpoints, self.write(batch, checkpoints))

    def batch(self, draft: Draft, checkpoints: Mapping[int, Checkpoint]) -> Batch:
        """What is to be written of a draft, with the checkpoints that it leads to. Raises DomainError."""
        moved, letters = moves(self.checkpoints, checkpoints), tuple(draft.letters)
        return Batch(self._kept, moved, draft.changes(), letters, writers=draft.writers())

    def committed(
        self, draft: Draft, batch: Batch, checkpoints: Mapping[int, Checkpoint], took_s: float | None
    ) -> None:
        """A draft was written. took_s: as `write` has returned it. Raises as `load` where letters have changed."""
        if took_s is not None:
            records = sum(move.new.next - (move.old.next if move.old else 0) for move in batch.moves)
            self.counts.committed(draft.heard, records, took_s)
            self.checkpoints = checkpoints
            self.lettered += len(draft.letters)
            for letter in draft.letters:
                log.warning(
                    "projection %s: %s/%s version %d at %s is a dead letter (%s): %s",
                    self.name,
                    letter.category,
                    letter.id,
                    letter.stream_version,
                    letter.position.token,
                    letter.state,
                    letter.error or "it waits behind an earlier one of its stream",
                    extra=self._fields(letter.position),
                )
            if draft.letters or self._parking.decided:
                self.load()
        self.handled += draft.heard

    @property
    def _kept(self) -> Build:
        assert self.build is not None
        return self.build

    def _fields(self, position: Position) -> Fields:
        return {"journal": position.journal, "shard": position.shard, "projection": self.name}

    def refusal(self, draft: Draft) -> RowsRefused | DomainError | None:
        """Why the store takes this draft's rows and letters not, if so; nothing is kept of the trial.

        Raises Outdated.
        """
        batch = Batch(self._kept, (), draft.changes(), tuple(draft.letters), writers=draft.writers())
        try:
            for attempt in self._attempts():
                with attempt:
                    self._store.write(batch, keep=False)
            self._outage.passed(self.name)
        except (RowsRefused, DomainError) as error:
            return error
        except CheckpointMoved as error:
            self._look_again(error)
            raise
        return None

    def write(self, batch: Batch, checkpoints: Mapping[int, Checkpoint]) -> float | None:
        """Write, with patience. From any thread, while this worker neither loads nor writes anything else.

        Returns how many seconds it took; None where it was found to be written, by an attempt whose answer was lost.
        Raises RowsRefused, Outdated, and what no event is at fault for.
        """
        began_s = monotonic()
        for attempt in self._attempts():
            with attempt:
                try:
                    self._store.write(batch)
                except CheckpointMoved as error:
                    self._look_again(error)
                    if attempt.num == 1 or self.checkpoints != checkpoints:
                        raise
                    return None
        self._outage.passed(self.name)
        return monotonic() - began_s

    def _look_again(self, error: CheckpointMoved) -> None:
        """Read what is stored. Raises Outdated where the checkpoints are as they were, so that letters have moved."""
        before = self.checkpoints
        self._load()
        self.overtaken = frozenset(shard for shard, held in self.checkpoints.items() if before.get(shard) != held)
        if self.checkpoints == before:
            raise Outdated(str(error)) from error

    def _may_pass(self, error: Exception) -> bool:
        if isinstance(error, StoreUnavailable):
            self._outage.met(self.name, error)
        return isinstance(error, StoreUnavailable)

    def _attempts(self) -> Iterable[stamina.Attempt]:
        limits = self._limits
        return stamina.retry_context(
            on=self._may_pass,
            attempts=limits.write_attempts_max,
            timeout=limits.write_deadline_s,
            wait_initial=0.02,
            wait_jitter=0.05,
        )
