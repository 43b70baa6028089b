"""The port of projection stores: tables, checkpoints and dead letters that move together or not at all.

A store gets changes that are already coalesced: at most one a row, as data, grouped so that each group is one
statement. It knows nothing of events, handlers or the journal. Every adapter passes
`shardlog.testing.contracts.projections`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from shardlog.model.batches import OpenTables
from shardlog.model.messages import Row
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildKey, Builds
from shardlog.ports.checkpoints import Checkpoint, Move

LetterState: TypeAlias = Literal["failed", "parked", "skipped"]
"""failed: its handler or its rows were refused. parked: behind a failed one of its stream. skipped: dropped by hand,
and passed over by every rebuild."""


def takes_over(build: Build, state: LetterState) -> bool:
    """Whether a new build takes a dead letter over from the one that serves.

    Of a projection that stops at what fails, it hears again what is put aside, and only what was skipped stays so.
    """
    return state == "skipped" or build.projection.on_failure == "park"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or a rejection, that a projection could not handle, with all that is needed to try again.

    stream_version: the event's place in its stream; for a rejection, the version that it met. recorded, data: JSON.
    """

    position: Position
    category: str
    id: str
    stream_version: int
    event_type: str
    state: LetterState
    error: str
    traceback: str
    recorded: str
    data: str


class Columns(NamedTuple):
    """Which columns a group of changes adds to, and which it sets."""

    adds: tuple[str, ...]
    sets: tuple[str, ...]


Stream: TypeAlias = tuple[str, str]
"""Category and id."""


class TableChanges(NamedTuple):
    """The changes of one table, at most one a row, each group in the order of keys.

    puts: whole rows, in the order of columns; inserted, or put in place of the row with that key.
    increments: whole row + adds + sets; the row is inserted, or the one that is there is added to and set.
    updates: adds + sets + key; where no such row is, nothing happens.
    removes: keys.
    """

    row: type[Row]
    puts: Sequence[tuple[object, ...]]
    increments: Mapping[Columns, Sequence[tuple[object, ...]]]
    updates: Mapping[Columns, Sequence[tuple[object, ...]]]
    removes: Sequence[tuple[object, ...]]


class Batch(NamedTuple):
    """One transaction of one build.

    letters: new dead letters; a parked one is refused where nothing of its stream is failed or parked any more.
    handled: dead letters that were handled now and are forgotten. skipped: those to keep as skipped. passed_over: what
    the moves pass over by hand, for the build's record; empty otherwise. writers: write with SQL in the same
    transaction, in this order, behind the changes of `tables`.
    """

    build: Build
    moves: Sequence[Move] = ()
    tables: Sequence[TableChanges] = ()
    letters: Sequence[DeadLetter] = ()
    handled: Sequence[Position] = ()
    skipped: Sequence[Position] = ()
    passed_over: str = ""
    writers: Sequence[Callable[[OpenTables], None]] = ()


class LetterPlace(NamedTuple):
    """Where a dead letter stands, without its contents."""

    position: Position
    category: str
    id: str
    state: LetterState


class Stored(NamedTuple):
    """What a store holds of one build.

    rebuild_to: by shard, the offset below which it makes no new dead letters, as `Builds.begin` was told.
    """

    checkpoints: Mapping[int, Checkpoint]
    letters: Sequence[LetterPlace]
    rebuild_to: Mapping[int, int]


class ProjectionStore(ABC):
    """Tables of projections with their checkpoints and dead letters.

    Every method raises StoreUnavailable where trying again may help, and StoreFailed where it does not.
    """

    @property
    @abstractmethod
    def builds(self) -> Builds:
        """The builds in this store: there a build's tables are made, switched to, and dropped."""

    @property
    def waits_for_server(self) -> bool:
        """Whether `write`, in a thread of its own, mostly waits for a server and leaves the processor to others."""
        return False

    @abstractmethod
    def prepare(self, build: Build) -> None:
        """Check a build's tables before they are written to.

        Raises TableMismatch, naming table and column, where one is missing or not as its row class says.
        """

    @abstractmethod
    def stored(self, key: BuildKey) -> Stored:
        """Checkpoints and dead letters of a build, of one moment; nothing of one that there is not.

        Raises Diverged where a checkpoint is of several journals.
        """

    @abstractmethod
    def write(self, batch: Batch, *, keep: bool = True) -> None:
        """One transaction: all of the batch or nothing. With keep=False it is tried and rolled back.

        Raises CheckpointMoved where a stored checkpoint or dead letter is not as the batch expects, or the build is
        dropped, RowsRefused where a value does not fit, TableMismatch where a table does not.
        """

    @abstractmethod
    def dead_letters(self, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
        """All dead letters of a build, or of one stream, by stream in order of positions."""

    @abstractmethod
    def close(self) -> None:
        """Free connections. Idempotent."""
