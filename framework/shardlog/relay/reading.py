"""All shards of a journal as a relay reads them: what they send is held, in order, until it is received."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from shardlog.errors import Diverged
from shardlog.journal.reader import Reader, ReaderState, check_reach
from shardlog.model.application import Application
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.journal import Journal
from shardlog.ports.relay import CommandDeadLetter
from shardlog.ports.sends import At
from shardlog.relay.attempts import Attempts
from shardlog.relay.core import Forward, UnderWay, forwarded_record
from shardlog.relay.held import Held
from shardlog.relay.inputs import RelayInputs
from shardlog.relay.limits import RelayLimits
from shardlog.relay.source import Source
from shardlog.telemetry.figures import RelayFigures

Received: TypeAlias = Mapping[int, Mapping[int, At]]
"""By target shard and source shard, the last send that is settled."""


def begin_readers(stored: Mapping[int, Checkpoint], journal_id: str, shards: int, whose: str) -> list[Reader]:
    """A reader for each shard: where its checkpoint says, or at the journal's beginning.

    Raises Diverged for a checkpoint of another journal, or of another number of shards.
    """
    for shard, checkpoint in stored.items():
        if checkpoint.journal != journal_id:
            why = f"{whose}'s checkpoint is of journal {checkpoint.journal}, and this is {journal_id}"
            raise Diverged(shard, checkpoint.next, f"{why}: remove its store, it then begins at the beginning")
        if checkpoint.shards != shards or shard >= shards:
            why = f"{whose}'s checkpoint is of {checkpoint.shards} shards, and there are {shards}"
            raise Diverged(shard, checkpoint.next, f"{why}: remove its store, it then begins at the beginning")
    return [
        Reader.from_state(ReaderState(*stored[shard])) if shard in stored else Reader(journal_id, shard, shards)
        for shard in range(shards)
    ]


class Reading:
    """Sources, and what is held of them. It has no thread.

    found: grows where there is something new for targets. letters: dead letters found, where they are wanted; whoever
    stores them removes them. ends: by shard, where the log ended at the last look. is_reach_checked: asked for a shard
    that was read, whether to look where its log ends, and if it still reaches to where it was read (rule C2); that is a
    question to the log.
    """

    def __init__(
        self,
        journal: Journal,
        application: Application,
        inputs: RelayInputs,
        attempts: Attempts,
        limits: RelayLimits,
        whose: str,
        keeps_letters: bool,
        is_reach_checked: Callable[[int], bool] = lambda _shard: True,
    ) -> None:
        self.found = 0
        self.letters: list[CommandDeadLetter] = []
        self.sources: list[Source] = []
        self.ends: dict[int, int] = {}
        self._journal = journal
        self._application = application
        self._inputs = inputs
        self._attempts = attempts
        self._limits = limits
        self._whose = whose
        self._keeps_letters = keeps_letters
        self._is_reach_checked = is_reach_checked
        self._received: Received = {}
        self._share = (0, 0)
        self._asked_for: dict[str, tuple[int, UnderWay]] = {}
        self.held = Held(0)

    def begin(self, readers: Iterable[Reader]) -> None:
        """Read from there; nothing is held any more."""
        for name in self._asked_for:
            self._attempts.forget(name)
        self.sources = [Source(self._application, reader) for reader in readers]
        shards = len(self.sources)
        self.held = Held(shards)
        self._share = max(1, self._limits.held_sends_max // shards), max(1, self._limits.held_bytes_max // shards)
        self._received = {}
        self._asked_for = {}

    @property
    def checkpoints(self) -> dict[int, Checkpoint]:
        """By shard, where to begin again after a crash."""
        return {source.shard: source.checkpoint for source in self.sources}

    def unread(self) -> int:
        """Records of all shards that were not read."""
        return sum(self._journal.offsets(source.shard)[1] - source.position for source in self.sources)

    def read(self) -> bool:
        """Read on where there is room, and fetch what is to be forwarded; True where there was more to read."""
        is_more_there = False
        for source in self.sources:
            is_more_there |= self._attempts.attempt(f"shard {source.shard}", partial(self._read, source))
            for target in self.held.forwards(source.shard):
                self._attempts.attempt(_forwards(source.shard, target), partial(self._fetch, source.shard, target))
        return is_more_there

    def figures(self) -> RelayFigures:
        """What it shows of itself to metrics. From any thread, and without I/O: ends are those of the last look."""
        return RelayFigures(
            held=self.held.sends,
            found=self.found,
            letters=len(self.letters),
            failing=len(self._attempts.errors),
            next={source.shard: source.position for source in self.sources},
            end=dict(self.ends),
        )

    def settle(self, received: Received) -> None:
        """Let go of what was received."""
        self._received = received
        for target, by_source in received.items():
            self.held.drop(target, by_source)
        for source in self.sources:
            source.settle(received)
        for name, (shard, send) in list(self._asked_for.items()):
            if self.held.forwards(shard).get(send.target) is not send:  # fetched, or received by way of another relay
                del self._asked_for[name]
                self._attempts.forget(name)

    def _read(self, source: Source) -> bool:
        """Read on while there is room, up to `read_records_max`; True where these end it, and the log goes on.

        Raises JournalError; what was read before it counts.
        """
        if not self._has_room(source):
            return False
        start, is_more_there = source.position, False
        for offset, value in self._journal.read(source.shard, start):
            found = source.look(offset, value)
            letters: list[CommandDeadLetter] = []
            if found is not None and self._keeps_letters:
                letters = [self._inputs.complete(letter) for letter in found.letters]
            source.pass_over(offset, value, found)  # with all letters made, as the checkpoint may follow from here on
            if found is not None:
                self.held.put(source.shard, self._new(source, found.sends))
                self.found += len(found.sends)
                self.letters += letters
            if not self._has_room(source):
                break  # before another is taken: the journal's reader then stands where this one goes on
            if source.position - start >= self._limits.read_records_max:
                is_more_there = True
                break
        if self._is_reach_checked(source.shard):
            end = self.ends[source.shard] = self._journal.offsets(source.shard)[1]
            if source.position == start:
                check_reach(source.state, end, self._whose)
        return is_more_there

    def _has_room(self, source: Source) -> bool:
        sends, size = self.held.size(source.shard)
        sends_max, bytes_max = self._share
        return sends < sends_max and size < bytes_max and len(self.letters) < self._limits.held_letters_max

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
        while (send := self.held.forwards(source).get(target)) is not None:
            if self.held.size(source).bytes >= self._share[1] and not self.held.is_first(source, send):
                return False
            self._asked_for[_forwards(source, target)] = source, send
            assert isinstance(send.content, Forward)
            value = self._inputs.fetch(send.content)
            self.held.fetched(source, send, forwarded_record(value, send.content))
            self.found += 1
        return True


def _forwards(source: int, target: int) -> str:
    return f"forwards of shard {source} to {target}"
