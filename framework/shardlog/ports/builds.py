"""The port of builds: which sets of tables a projection has, which of them analysts see, and how that changes.

A projection's rows are built by its handlers, so other handlers or other columns need other tables: a *build* is one
set of tables with checkpoints and dead letters of its own. The names that analysts use are views over the build that
serves. A new build stands beside it until it has caught up; then the views switch, in one transaction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from shardlog.model.projection import Projection

BuildState: TypeAlias = Literal["building", "serving", "retired"]
"""building: beside the one that serves. serving: the views show it. retired: another one serves in its place."""

WAITS = "has caught up, and is switched to once that can be: "
"""With this begins what is noted of a build that nobody has to repair: it is tried again every second."""


class BuildKey(NamedTuple):
    """Which build, for those who do not have the projection's code. number: from 1, for each version by itself."""

    projection: str
    version: int
    number: int

    @property
    def label(self) -> str:
        """For people, logs and leases."""
        return f"{self.projection}/{self.version}/{self.number}"


class Build(NamedTuple):
    """A build, for those who fill its tables."""

    projection: Projection
    number: int

    @property
    def name(self) -> str:
        """The projection's name."""
        return self.projection.name

    @property
    def key(self) -> BuildKey:
        """Which build it is."""
        return BuildKey(self.projection.name, self.projection.version, self.number)


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a build. Times are UTC, as texts of ISO 8601; a time or a text that there is not yet is empty.

    is_paused: nobody writes its rows meanwhile. attempt: how often it was told to go on. stopped: why somebody who kept
    it cannot go on. passed_over: which records were passed over by hand, so that no row knows of them. handlers: the
    digest of the handlers that have begun it (`handlers_digest`), or empty.
    """

    key: BuildKey
    state: BuildState
    is_paused: bool = False
    attempt: int = 0
    begun_at: str = ""
    switched_at: str = ""
    stopped: str = ""
    stopped_at: str = ""
    passed_over: str = ""
    handlers: str = ""

    @property
    def hindrance(self) -> Literal["stopped", "waits", ""]:
        """What `stopped` tells of: that somebody must act, or that it waits to be switched to."""
        if self.stopped.startswith(WAITS):
            return "waits"
        return "stopped" if self.stopped else ""

    @property
    def standing(self) -> str:
        """Its state, and what hinders it, for people: `serving`, `building, stopped`, `serving, paused`.

        Nobody waits for what stands in a retired one. A build that has caught up may wait for something else, and goes
        on by itself.
        """
        hindered = self.hindrance or ("paused" if self.is_paused else "")
        return f"{self.state}, {hindered}" if hindered and self.state != "retired" else self.state


class Builds(ABC):
    """The builds of all projections in one store.

    Methods raise BuildRefused for a build that there is not, StoreUnavailable where trying again may help, and
    StoreFailed where it does not.
    """

    @abstractmethod
    def records(self, projection: str | None = None) -> Sequence[BuildRecord]:
        """The builds of a projection, or of all, by name, version and number."""

    @abstractmethod
    def begin(self, build: Build, rebuild_to: Mapping[int, int]) -> BuildRecord:
        """Make a build's tables, and remember it; nothing happens to one that is there.

        A projection's first build serves at once, and one beside it takes over the dead letters of the one that serves,
        with on_failure="stop" the skipped ones alone.
        rebuild_to: by shard, the offset below which the build makes no new dead letters. Raises TableMismatch where a
        table or view of these names is another projection's, or nobody's.
        """

    @abstractmethod
    def switch(self, key: BuildKey, ends: Mapping[int, int], *, behind_max: int | None = 0) -> None:
        """Let the views show this build, and retire the one that serves: one transaction. A pause stays in force.

        ends: by shard, the offset that it must have read up to. behind_max: how many records it may lack, over all
        shards; None for any number. Raises BuildBehind where it lacks more, BuildRefused, naming it, where something in
        the database depends on a view in a way that a switch would break, and then nothing has changed.
        """

    @abstractmethod
    def drop(self, key: BuildKey) -> None:
        """Drop a build with its tables, checkpoints and dead letters. Raises BuildRefused for the one that serves."""

    @abstractmethod
    def pause(self, key: BuildKey, *, is_paused: bool) -> None:
        """Say whether it is paused. Those who keep it look at least once a second."""

    @abstractmethod
    def resume(self, key: BuildKey) -> None:
        """Tell those who keep it, and have stopped, to go on from its checkpoint."""

    @abstractmethod
    def note_stopped(self, key: BuildKey, why: str) -> None:
        """Say why somebody who keeps it cannot go on, for others to see."""
