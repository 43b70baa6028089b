"""Random walks of writers over an unkind network: nothing acknowledged is lost or doubled, and all readers agree."""

from __future__ import annotations

from random import Random

import pytest

from shardlog.adapters.memory.faulty import Faults, FaultyJournal
from shardlog.journal.effects import Acknowledged, ClaimLost, Effect, Failed, Fenced, Owner, ReadBack, Replay
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.states import State
from shardlog.journal.writer import JournalWriter
from tests.unit.journal.driven_shard import JOURNAL, SHARDS, Owning, body

COMMANDS = 12
STEPS = 160
WALKS = 80


class Process(Owning):
    """An executor that applies each command once: it knows what it replayed and what it acknowledged."""

    def __init__(self, journal: FaultyJournal, number: int) -> None:
        super().__init__(journal, number)
        self.applied: list[bytes] = []
        self.in_doubt: list[bytes] = []

    def invoke(self, command: bytes) -> None:
        """Decide a command, unless it is known."""
        if self.writer.can_build and command not in self.applied and command not in self.in_doubt:
            self.in_doubt.append(command)
            self.append(command.decode())

    def seen(self, effect: Effect) -> Effect:
        super().seen(effect)
        if isinstance(effect, Acknowledged):
            self.applied.append(self.in_doubt.pop(0))
        elif isinstance(effect, Replay):
            self.applied.append(name(bytes(effect.body)))
        elif isinstance(effect, Failed | Fenced | ClaimLost):
            self.give_up()
        return effect

    def give_up(self) -> None:
        """Abandon the producer and go back to what was acknowledged."""
        self.port.abandon(0)
        self.writer.abandoned()
        self.reports.clear()
        self.in_doubt.clear()

    def crash(self) -> None:
        """Come back under the same name, from what the reader had stored."""
        self.port.abandon(0)
        stored = self.writer.reader.state
        self.writer = JournalWriter(Reader.from_state(stored))
        self.reports.clear()
        self.in_doubt.clear()

    def act(self, random: Random) -> None:
        """Whatever may be done in this state."""
        writer = self.writer
        if random.random() < 0.01:
            self.crash()
        elif random.random() < 0.01 and writer.state is not State.REPLAYING:
            self.seen(writer.fail("somebody says so"))
        elif writer.state is State.REPLAYING:
            self.read()
            if random.random() < 0.4 and writer.state is State.REPLAYING:
                self.claim()
        elif self.reports and random.random() < 0.8:
            built, report = self.reports.pop(0 if random.random() < 0.8 else -1)
            self.seen(writer.reported(built, report))
        elif writer.is_reading_back:
            if isinstance(self.read_back(), ReadBack) and random.random() < 0.1:
                self.seen(writer.deadline_passed())
        elif writer.state is State.CLAIMING and random.random() < 0.05:
            self.seen(writer.deadline_passed())
        elif writer.state is State.CLAIMING or random.random() < 0.2:
            self.read()
        else:
            self.invoke(b"c%d" % random.randrange(COMMANDS))


def name(frame_body: bytes) -> bytes:
    """The name that a body of `driven_shard.body` is known by."""
    return frame_body.split(b'"')[-2]


def truth(journal: FaultyJournal) -> tuple[Reader, list[tuple[int, bytes]]]:
    """What a reader of the whole log finds."""
    reader = Reader(JOURNAL, 0, SHARDS)
    frames: list[tuple[int, bytes]] = []
    for offset, value in journal.read(0, 0):
        if isinstance(reader.pass_over(offset, value), FrameTaken):
            frames.append((offset, value))
    return reader, frames


def heads(journal: FaultyJournal) -> list[str]:
    """The chain's head before each offset."""
    reader = Reader(JOURNAL, 0, SHARDS)
    found = [reader.head]
    for offset, value in journal.read(0, 0):
        reader.pass_over(offset, value)
        found.append(reader.head)
    return found


def check(journal: FaultyJournal, processes: list[Process]) -> None:
    _, frames = truth(journal)
    commands = [name(value[: value.rindex(b"]]]]") + 1]) for _, value in frames]
    assert len(set(commands)) == len(commands), "a command is applied twice"
    chain = heads(journal)
    for process in processes:
        for value, offset in process.acknowledged:
            assert (offset, value) in frames, "an acknowledged frame is not where it was said to be"
        reader = process.writer.reader
        assert reader.head == chain[reader.position], "a process has another head than the log"
        passed = [command for (offset, _), command in zip(frames, commands, strict=True) if offset < reader.position]
        assert process.applied == passed, "a process has another history than the log"


def walk(seed: int, unkindness: float) -> int:
    """One walk; returns how many frames were acknowledged."""
    random = Random(seed)
    journal = FaultyJournal(SHARDS)
    faults = Faults(journal, random, unkindness)
    processes = [Process(journal, number) for number in (1, 2)]
    for _ in range(STEPS):
        if random.random() < 0.45:
            faults.step()
        else:
            random.choice(processes).act(random)
        check(journal, processes)
    return sum(len(process.acknowledged) for process in processes)


@pytest.mark.parametrize("unkindness", [0.0, 1.0, 3.0])
def test_no_walk_loses_or_doubles_an_acknowledged_frame(unkindness: float) -> None:
    acknowledged = sum(walk(seed, unkindness) for seed in range(WALKS))
    assert acknowledged > WALKS / 2, "the walks hardly get anywhere"


def test_names_of_bodies_are_read_back() -> None:
    assert name(body("c7")) == b"c7"


def test_an_owner_emerges_on_a_kind_network() -> None:
    journal = FaultyJournal(SHARDS)
    process = Process(journal, 1)
    journal.land(process.claim())
    assert process.read() == [Owner(1)]
