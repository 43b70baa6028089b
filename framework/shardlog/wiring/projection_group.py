"""A process as one of a group that keeps the same projections: which shards it serves, by leases.

Three times in the life of a lease it says that it lives, looks who else does, and lets every projection's thread know
its shards. A shard that should go elsewhere is given back once the batch under way is written.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping

from shardlog.errors import ProjectionError, StoreUnavailable
from shardlog.model.application import Application
from shardlog.ports.leases import Leases, Seen
from shardlog.projector.spreading import spread
from shardlog.telemetry.figures import GroupFigures, ProjectionFigures
from shardlog.wiring.projecting import ProjectionThreads

BEATS_A_LEASE = 3
log = logging.getLogger("shardlog.projector")


def lease_names(application: Application) -> dict[str, str]:
    """By projection, the name that the leases of its shards have: processes of one version keep the same build."""
    return {name: f"{name}/{projection.version}" for name, projection in application.projections.items()}


class ProjectionGroup:
    """One member. threads: made with `in_group`.

    leased: by projection, the name of its leases. shards: of the journal. lease_ms: how long a member is believed to
    live without saying so. From `start` to `stop` it serves; `stop` gives its shards back at once.
    """

    def __init__(
        self, threads: ProjectionThreads, leases: Leases, leased: Mapping[str, str], shards: int, lease_ms: int
    ) -> None:
        self.member = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.threads = threads
        self._leases = leases
        self._leased = dict(leased)
        self._shards = shards
        self._lease_ms = lease_ms
        self._seen = Seen({}, {})
        self._error: ProjectionError | None = None
        self._fault: Exception | None = None
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shardlog-leases", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.threads.start()
        self._thread.start()

    def stop(self) -> None:
        """End after the transactions under way, and give all shards back."""
        self._is_stopping.set()
        self._thread.join()
        self.threads.stop()
        try:
            self._leases.release(self.member)
        except ProjectionError as error:
            log.warning("the shards' leases were not given back, and run out by themselves: %s", error)

    def figures(self) -> list[ProjectionFigures | GroupFigures]:
        """What projections and group show of themselves to metrics. It waits for nothing."""
        members = {projection: len(self._seen.members.get(name, ())) for projection, name in self._leased.items()}
        return [*self.threads.figures(), GroupFigures(members=members, is_failing=self._error is not None)]

    def raise_ended(self) -> None:
        """Raise the fault that nobody expected, if one has ended a thread of this process."""
        if self._fault is not None:
            raise self._fault
        self.threads.raise_ended()

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                try:
                    self._beat()
                except ProjectionError as error:
                    self._tell(error)
                else:
                    self._tell(None)
                self._is_stopping.wait(self._lease_ms / 1000 / BEATS_A_LEASE)
        except Exception as error:
            self._fault = error
            log.exception(
                "leases are looked at no more, by an error that nobody expected: report it with this traceback"
            )

    def _beat(self) -> None:
        until_s = time.monotonic() + self._lease_ms / 1000
        self._seen = seen = self._leases.look(self.member, self._leased.values(), self._lease_ms)
        wanted = {name: self._wanted(name, seen) for name in self._leased.values()}
        kept = {name: wanted[name] | self._leaving(projection, name, seen) for projection, name in self._leased.items()}
        held = self._leases.take(self.member, kept, self._lease_ms)
        for projection, name in self._leased.items():
            self.threads.threads[projection].hold(held[name] & wanted[name], until_s)

    def _wanted(self, name: str, seen: Seen) -> frozenset[int]:
        owners = spread(seen.members[name], range(self._shards), seen.held[name])
        return frozenset(shard for shard, owner in owners.items() if owner == self.member)

    def _leaving(self, projection: str, name: str, seen: Seen) -> frozenset[int]:
        """Shards whose lease is held here as long as a batch is written for them, whoever should have them next."""
        serving = self.threads.threads[projection].shards
        return frozenset(shard for shard in serving if seen.held[name].get(shard) == self.member)

    def _tell(self, error: ProjectionError | None) -> None:
        """Log what leases cannot be looked at for, once, and that they can be again."""
        if error is None:
            self.threads.outage.passed(self)
        if isinstance(error, StoreUnavailable):
            self.threads.outage.met(self, error)
        elif error is not None and str(error) != str(self._error):
            log.warning("%s; shards are served until their leases run out", error)
        elif error is None and self._error is not None and not isinstance(self._error, StoreUnavailable):
            log.warning("leases are looked at again")
        self._error = error
