"""The embedded relay: what every shard has sent is held until its target pulls it, and the checkpoint moves behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from shardlog.errors import CheckpointMoved, ShardlogError
from shardlog.model.application import Application
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.ports.relay import RelayStore
from shardlog.ports.sends import At, SendsSource
from shardlog.relay.attempts import Attempts
from shardlog.relay.inputs import RelayInputs
from shardlog.relay.limits import RelayLimits
from shardlog.relay.reading import Reading, begin_readers
from shardlog.relay.reading import Received as Received
from shardlog.telemetry.figures import RelayFigures

log = logging.getLogger("shardlog.relay")
STORE = "the store"


class Relay(SendsSource):
    """Carries the sends of a journal's shards. It has no thread: call `step` from one; `waiting` may come from others.

    journal_id, shards: as the journal's meta record says. received: by target shard and source shard, the last send
    that acknowledged frames have taken, as far as it is known; it is asked at each step. monotonic_ms: a clock for
    waits. inputs: where forwarded records are fetched.

    errors: what goes wrong now, by what it concerns. found: grows where there is something new for targets.

    Its work is at least once and in order, and the targets make it exactly once. Two relays of one journal do no harm.
    """

    def __init__(
        self,
        journal: Journal,
        journal_id: str,
        shards: int,
        application: Application,
        store: RelayStore,
        received: Callable[[], Received],
        monotonic_ms: Callable[[], float],
        inputs: Sequence[Input] = (),
        limits: RelayLimits | None = None,
    ) -> None:
        self._journal = journal
        self._id = journal_id
        self._store = store
        self._ask = received
        self._now_ms = monotonic_ms
        self._limits = limits or RelayLimits()
        self._shards = range(shards)
        self._attempts = Attempts("relay", monotonic_ms, self._limits.retry_ms, self._limits.retry_ms_max)
        fetched = RelayInputs(inputs, self._limits.original_bytes_max)
        self._reading = Reading(
            journal, application, fetched, self._attempts, self._limits, whose="the relay", keeps_letters=True
        )
        self._stored: dict[int, Checkpoint] = {}
        self._written_ms = monotonic_ms()

    @property
    def errors(self) -> dict[str, ShardlogError]:
        """What goes wrong now, by what it concerns."""
        return self._attempts.errors

    @property
    def found(self) -> int:
        """Grows where there is something new for targets."""
        return self._reading.found

    # -- what targets ask ----------------------------------------------------------------------------------------------
    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        return self._reading.held.waiting(target, received, limit) if self._reading.sources else ()

    # -- what its thread does ------------------------------------------------------------------------------------------
    def step(self) -> bool:
        """Let go of what was received, read on where there is room, store what is to be stored.

        Returns whether there was more to read. What goes wrong stands in `errors` until it goes right; it is tried
        again after `retry_ms`, and what it does not concern goes on.
        """
        if not self._reading.sources and not self._attempts.attempt(STORE, self._load, grows=False):
            return False
        self._reading.settle(self._ask())
        is_more_there = self._reading.read()
        if self._reading.letters or self._now_ms() - self._written_ms >= self._limits.checkpoint_ms:
            self._attempts.attempt(STORE, self._write, grows=False)
        return is_more_there

    def flush(self) -> None:
        """Store what is to be stored now, so that a restart reads little again. Raises nothing: see `errors`."""
        if self._reading.sources:
            self._reading.settle(self._ask())
            self._attempts.attempt(STORE, self._write, grows=False)

    @property
    def held(self) -> int:
        """How many sends were read and are not known to be received."""
        return self._reading.held.sends

    def figures(self) -> list[RelayFigures]:
        """What it shows of itself to metrics. From any thread, and without I/O: ends are those of the last look."""
        return [self._reading.figures()]

    def behind(self) -> int:
        """Records not read, sends not received and letters not stored, over all shards; to be called between two steps.

        0: all that stood in the log at some moment of this call was read, all that it sent was received, all its dead
        letters are stored.
        """
        if not self._reading.sources:
            return sum(self._journal.offsets(shard)[1] for shard in self._shards)
        self._reading.settle(self._ask())
        unread = self._reading.unread()
        return self.held + len(self._reading.letters) + unread

    # -- storing -------------------------------------------------------------------------------------------------------
    def _load(self) -> bool:
        """Begin at the stored checkpoints, or at the journal's beginning. Raises Diverged where they do not fit."""
        stored = dict(self._store.checkpoints(self._id))
        self._reading.begin(begin_readers(stored, self._id, len(self._shards), "the relay"))
        self._stored = stored
        return True

    def _write(self) -> bool:
        """Letters and checkpoints in one transaction. Raises ProjectionError where the store does not take them."""
        old, letters = self._stored, self._reading.letters
        moves = [
            Move(old.get(shard), checkpoint)
            for shard, checkpoint in self._reading.checkpoints.items()
            if checkpoint.next > (old[shard].next if shard in old else 0)
        ]
        if moves or letters:
            try:
                self._store.write(moves, letters)
            except CheckpointMoved as moved:
                log.info("%s; this relay goes on from what is stored", moved, extra={"journal": self._id})
                self._stored = dict(self._store.checkpoints(self._id))
                return False
        self._stored = old | {move.new.shard: move.new for move in moves}
        letters.clear()
        self._written_ms = self._now_ms()
        return True
