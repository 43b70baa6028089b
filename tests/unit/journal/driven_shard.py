"""A shard of a journal over an unkind network, and writers that are driven by hand: no threads, no clocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from shardlog.adapters.memory.faulty import FaultyJournal, Flight
from shardlog.journal.effects import Acknowledged, Effect, Owner, PendingFrame, ReadBack, Replay
from shardlog.journal.envelope import claim_value, frame_prefix, frame_value
from shardlog.journal.reader import Reader, ReaderState
from shardlog.journal.records import ClaimBody, encode_claim, encode_frame
from shardlog.journal.states import State
from shardlog.journal.writer import JournalWriter
from shardlog.ports.journal import Report, Writer

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
SHARDS = 4


def nonce(number: int) -> str:
    return f"{number:032x}"


def body(name: str) -> bytes:
    """A frame's body that is known by a name."""
    return encode_frame(1, {}, [b'["x","feeder:test:0",0,"undecodable","%b"]' % name.encode()])


def claim(epoch: int, number: int, journal: str = JOURNAL, shard: int = 0, shards: int = SHARDS) -> bytes:
    """A claim's record as anybody may write it."""
    return claim_value(journal, shard, shards, epoch, nonce(number), encode_claim(ClaimBody("owner", "", 0, 1, "")))


def frame(
    after: ReaderState,
    name: str = "a",
    *,
    journal: str = JOURNAL,
    shard: int = 0,
    shards: int = SHARDS,
    epoch: int | None = None,
    number: int | None = None,
    seq: int | None = None,
    prev: str | None = None,
) -> bytes:
    """The frame that is valid after a state, or one that differs from it where it is told to."""
    prefix = frame_prefix(
        journal,
        shard,
        shards,
        after.epoch if epoch is None else epoch,
        after.nonce if number is None else nonce(number),
    )
    return frame_value(prefix, after.seq + 1 if seq is None else seq, after.head if prev is None else prev, body(name))


def reader_at(*values: bytes) -> Reader:
    """A reader that has passed these values at offsets from 0."""
    reader = Reader(JOURNAL, 0, SHARDS)
    for offset, value in enumerate(values):
        reader.pass_over(offset, value)
    return reader


def settled(journal: FaultyJournal) -> Reader:
    """A reader of the whole log."""
    return reader_at(*(value for _, value in journal.read(0, 0)))


@dataclass
class Owning:
    """A process that owns, or wants, shard 0: a writer, its producer, and what it was told."""

    journal: FaultyJournal
    number: int = 1
    writer: JournalWriter = field(init=False)
    port: Writer = field(init=False)
    reports: list[tuple[PendingFrame, Report]] = field(default_factory=list)
    acknowledged: list[tuple[bytes, int]] = field(default_factory=list)
    replayed: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.writer = JournalWriter(Reader(JOURNAL, 0, SHARDS))
        self.port = self.journal.writer(0)

    def claim(self) -> Flight:
        """Append a claim with a fresh producer; it is in flight."""
        self.port = self.journal.writer(0)
        value = self.writer.claim(nonce(self.number), f"owner {self.number}", "", 0, 1, "")
        self.number += 100
        self.port.append(value, lambda report: None)
        return self.journal.flights[-1]

    def take_over(self) -> None:
        """Read to the end, claim, and read until the claim comes by."""
        self.read()
        self.journal.land(self.claim())
        effects = self.read()
        assert Owner(self.writer.reader.epoch) in effects

    def append(self, name: str) -> tuple[PendingFrame, Flight]:
        """Build a frame and append it; it is in flight."""
        built = self.writer.frame(body(name))
        self.port.append(built.value, lambda report: self.reports.append((built, report)))
        return built, self.journal.flights[-1]

    def read(self) -> list[Effect]:
        """Read from the writer's position to the end; stops where the writer has to stop."""
        effects: list[Effect] = []
        for offset, value in self.journal.read(0, self.writer.reader.position):
            effects.append(self.seen(self.writer.read(offset, value)))
            if self.writer.state in (State.FAILED, State.FENCED):
                break
        return effects

    def take_reports(self) -> list[Effect]:
        """Hand on the reports that came, in order."""
        taken, self.reports = self.reports, []
        return [self.seen(self.writer.reported(built, report)) for built, report in taken]

    def read_back(self) -> Effect:
        """What a ReadBack asks for."""
        self.read()
        return self.seen(self.writer.read_back_ended())

    def seen(self, effect: Effect) -> Effect:
        """Keep what an effect says."""
        if isinstance(effect, Acknowledged):
            self.acknowledged += [(built.value, offset) for built, offset in effect.frames]
        elif isinstance(effect, Replay):
            self.replayed.append(bytes(effect.body))
        return effect


__all__ = ["JOURNAL", "SHARDS", "Owning", "ReadBack", "body", "claim", "frame", "nonce", "reader_at", "settled"]
