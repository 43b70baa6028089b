"""The relay: reads what every shard has sent, holds it until it is received, and moves its checkpoint behind that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from shardlog.errors import CheckpointMoved, Diverged, ShardlogError
from shardlog.journal.reader import Reader, ReaderState, check_reach
from shardlog.model.application import Application
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.ports.relay import CommandDeadLetter, RelayStore
from shardlog.ports.sends import At, SendsSource
from shardlog.relay.core import Forward, UnderWay, forwarded_record
from shardlog.relay.held import Held
from shardlog.relay.inputs import RelayInputs
from shardlog.relay.limits import RelayLimits
from shardlog.relay.source import Source
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import RelayFigures

log = logging.getLogger("shardlog.relay")
STORE = "the store"
Received: TypeAlias = Mapping[int, Mapping[int, At]]


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
        self.errors: dict[str, ShardlogError] = {}
        self.found = 0
        self._journal = journal
        self._id = journal_id
        self._application = application
        self._store = store
        self._ask = received
        self._received: Received = {}
        self._now_ms = monotonic_ms
        self._limits = limits or RelayLimits()
        self._inputs = RelayInputs(inputs, self._limits.original_bytes_max)
        self._targets = range(shards)
        self._held = Held(shards)
        self._share = max(1, self._limits.held_sends_max // shards), max(1, self._limits.held_bytes_max // shards)
        self._sources: list[Source] = []
        self._stored: dict[int, Checkpoint] = {}
        self._letters: list[CommandDeadLetter] = []
        self._retry_ms: dict[str, float] = {}
        self._asked_for: dict[str, tuple[int, UnderWay]] = {}
        self._written_ms = monotonic_ms()
        self._ends: dict[int, int] = {}

    # -- what targets ask ----------------------------------------------------------------------------------------------
    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        return self._held.waiting(target, received, limit)

    # -- what its thread does ------------------------------------------------------------------------------------------
    def step(self) -> bool:
        """Let go of what was received, read on where there is room, store what is to be stored.

        Returns whether there was more to read. What goes wrong stands in `errors` until it goes right; it is tried
        again after `retry_ms`, and what it does not concern goes on.
        """
        if not self._sources and not self._try(STORE, self._load):
            return False
        self._settle()
        is_more_there = False
        for source in self._sources:
            is_more_there |= self._try(f"shard {source.shard}", partial(self._read, source), source)
            for target in self._held.forwards(source.shard):
                self._try(_forwards(source.shard, target), partial(self._fetch, source.shard, target), source)
        if self._letters or self._now_ms() - self._written_ms >= self._limits.checkpoint_ms:
            self._try(STORE, self._write)
        return is_more_there

    def flush(self) -> None:
        """Store what is to be stored now, so that a restart reads little again. Raises nothing: see `errors`."""
        if self._sources:
            self._settle()
            self._try(STORE, self._write)

    @property
    def held(self) -> int:
        """How many sends were read and are not known to be received."""
        return self._held.sends

    def figures(self) -> list[RelayFigures]:
        """What it shows of itself to metrics. From any thread, and without I/O: ends are those of the last look."""
        return [
            RelayFigures(
                held=self._held.sends,
                found=self.found,
                letters=len(self._letters),
                failing=len(self.errors),
                next={source.shard: source.position for source in self._sources},
                end=dict(self._ends),
            )
        ]

    def behind(self) -> int:
        """Records not read, sends not received and letters not stored, over all shards; to be called between two steps.

        0: all that stood in the log at some moment of this call was read, all that it sent was received, all its dead
        letters are stored.
        """
        if not self._sources:
            return sum(self._journal.offsets(shard)[1] for shard in self._targets)
        self._settle()
        unread = sum(self._journal.offsets(source.shard)[1] - source.position for source in self._sources)
        return self._held.sends + len(self._letters) + unread

    # -- reading -------------------------------------------------------------------------------------------------------
    def _load(self) -> bool:
        """Begin at the stored checkpoints, or at the journal's beginning. Raises Diverged where they do not fit."""
        stored = dict(self._store.checkpoints(self._id))
        shards = len(self._targets)
        for shard, checkpoint in stored.items():
            if checkpoint.shards != shards or shard >= shards:
                why = f"the relay's checkpoint is of {checkpoint.shards} shards, and there are {shards}"
                raise Diverged(shard, checkpoint.next, f"{why}: remove its store, it then begins at the beginning")
        readers = (
            Reader.from_state(ReaderState(*stored[shard])) if shard in stored else Reader(self._id, shard, shards)
            for shard in self._targets
        )
        self._sources = [Source(self._application, reader) for reader in readers]
        self._stored = stored
        return True

    def _read(self, source: Source) -> bool:
        """Read on while there is room, up to `read_records_max`; True where these end it, and the log goes on.

        Raises JournalError; what was read before it counts.
        """
        _, end = self._journal.offsets(source.shard)
        self._ends[source.shard] = end
        if source.position >= end:
            check_reach(source.state, end, "the relay")
            return False
        if not self._has_room(source):
            return False
        start = source.position
        for offset, value in self._journal.read(source.shard, start):
            if source.position - start >= self._limits.read_records_max:
                return True
            if not self._has_room(source):
                break
            found = source.look(offset, value)
            letters = [] if found is None else [self._inputs.complete(letter) for letter in found.letters]
            source.pass_over(offset, value, found)  # with all letters made, as the checkpoint may follow from here on
            if found is not None:
                self._held.put(source.shard, self._new(source, found.sends))
                self.found += len(found.sends)
                self._letters += letters
        return False

    def _has_room(self, source: Source) -> bool:
        sends, size = self._held.size(source.shard)
        sends_max, bytes_max = self._share
        return sends < sends_max and size < bytes_max and len(self._letters) < self._limits.held_letters_max

    def _new(self, source: Source, sends: Sequence[UnderWay]) -> list[UnderWay]:
        """Those that their targets have not received: after a restart most of what is read again was."""
        new: list[UnderWay] = []
        for send in sends:
            last = self._received.get(send.target, {}).get(source.shard)
            if last is None or send.at > last:
                new.append(send)
        return new

    def _fetch(self, source: int, target: int) -> bool:
        """Fetch the bytes of forwards while there is room; True where there is for all.

        There always is for one that its target is to receive next: what stands behind it may have taken all room.
        Raises InputChanged; what was fetched before it counts.
        """
        while (send := self._held.forwards(source).get(target)) is not None:
            if self._held.size(source).bytes >= self._share[1] and not self._held.is_first(source, send):
                return False
            self._asked_for[_forwards(source, target)] = source, send
            assert isinstance(send.content, Forward)
            value = self._inputs.fetch(send.content)
            self._held.fetched(source, send, forwarded_record(value, send.content))
            self.found += 1
        return True

    # -- what was received ---------------------------------------------------------------------------------------------
    def _settle(self) -> None:
        self._received = self._ask()
        for target, received in self._received.items():
            self._held.drop(target, received)
        for source in self._sources:
            source.settle(self._received)
        for name, (shard, send) in list(self._asked_for.items()):
            if self._held.forwards(shard).get(send.target) is not send:  # fetched, or received by way of another relay
                del self._asked_for[name]
                self.errors.pop(name, None)
                self._retry_ms.pop(name, None)

    # -- storing -------------------------------------------------------------------------------------------------------
    def _write(self) -> bool:
        """Letters and checkpoints in one transaction. Raises ProjectionError where the store does not take them."""
        new = {source.shard: source.checkpoint for source in self._sources}
        old = self._stored
        moves = [
            Move(old.get(shard), checkpoint)
            for shard, checkpoint in new.items()
            if checkpoint.next > (old[shard].next if shard in old else 0)
        ]
        if moves or self._letters:
            try:
                self._store.write(moves, self._letters)
            except CheckpointMoved as moved:
                log.info("%s; this relay goes on from what is stored", moved, extra={"journal": self._id})
                self._stored = dict(self._store.checkpoints(self._id))
                return False
        self._stored = old | {move.new.shard: move.new for move in moves}
        self._letters.clear()
        self._written_ms = self._now_ms()
        return True

    def _fields(self, source: Source | None) -> Fields:
        """What a log line on an error carries. source: the shard that it concerns, where it is one's."""
        if source is None:
            return {"journal": self._id}
        return {"journal": self._id, "shard": source.shard, "epoch": source.state.epoch}

    def _try(self, name: str, action: Callable[[], bool], source: Source | None = None) -> bool:
        """Do it unless it failed a moment ago; an error is kept under its name, and said once."""
        if self._retry_ms.get(name, 0.0) > self._now_ms():
            return False
        try:
            did = action()
        except ShardlogError as error:
            if str(error) != str(self.errors.get(name)):
                log.error("relay, %s: %s", name, error, extra=self._fields(source))
            self.errors[name] = error
            self._retry_ms[name] = self._now_ms() + self._limits.retry_ms
            return False
        if self._retry_ms.pop(name, None) is not None:
            del self.errors[name]
        return did


def _forwards(source: int, target: int) -> str:
    return f"forwards of shard {source} to {target}"
