"""The carrier over faults of its way: each target can take every send once, in the order of its source."""

from __future__ import annotations

from random import Random

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.outputs import MemoryCarriage, MemoryTopics
from shardlog.errors import Diverged, InputChanged, OutputsFailed
from shardlog.executor.requests import decode_record
from shardlog.executor.sends import Arrival, arrival
from shardlog.journal.records import Forwarded
from shardlog.ports.carriage import Delivered
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.sends import At
from shardlog.relay.carrier import Carrier
from shardlog.relay.limits import RelayLimits
from tests.unit.executor.ledger import ledger
from tests.unit.projector.log import LogWriter
from tests.unit.relay.sent import JOURNAL, SHARDS, accepted, send

LIMITS = RelayLimits(checkpoint_ms=0, retry_ms=0, held_sends_max=30)


class World:
    """A journal whose shards send, and topics that relays share."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(SHARDS)
        self.log = LogWriter(self.journal, SHARDS)
        self.topics = MemoryTopics()
        self.ms = 0.0
        self.last: dict[tuple[int, int], At] = {}
        self.seqs = [0] * SHARDS

    def carrier(self) -> Carrier:
        return Carrier(
            self.journal, JOURNAL, SHARDS, ledger, MemoryCarriage(self.topics), lambda: self.ms, limits=LIMITS
        )

    def frame(self, source: int, *targets: int) -> None:
        """A frame with sends to these, each naming the one before it."""
        self.seqs[source] += 1
        sends = []
        for number, target in enumerate(targets):
            sends.append(send(target, self.last.get((source, target))))
            self.last[source, target] = (1, self.seqs[source], number)
        self.log.frame(source, [accepted(*sends)])

    def taken(self) -> list[tuple[int, int, At]]:
        """Target, source and place of what targets apply, by the executor's own rule."""
        found = []
        last: dict[tuple[int, int], At] = {}
        for target, records in sorted(self.topics.sent.items()):
            for _, record in records:
                origin = decode_record(record).origin
                assert origin is not None
                if arrival(origin, last.get((target, origin.shard))) is Arrival.NEW:
                    at = (origin.epoch, origin.seq, origin.number)
                    last[target, origin.shard] = at
                    found.append((target, origin.shard, at))
        return found


def run(carrier: Carrier) -> None:
    for _ in range(10_000):
        carrier.step()
        if carrier.behind() == 0:
            return
    raise AssertionError(carrier.errors)


@pytest.mark.parametrize("seed", range(20))
def test_over_any_faults_and_restarts_targets_take_every_send_once(seed: int) -> None:
    random, world = Random(seed), World()
    carriers = [world.carrier(), world.carrier()]
    sent = 0
    for _ in range(80):
        targets = random.choices(range(SHARDS), k=random.randrange(4))
        world.frame(random.randrange(SHARDS), *targets)
        sent += len(targets)
        world.topics.faults.extend(random.choices(["", "", "", "lost", "landed"], k=3))
        which = random.randrange(2)
        if random.random() < 0.1:
            carriers[which] = world.carrier()
        carriers[which].step()
    world.topics.faults.clear()
    run(world.carrier())
    for carrier in carriers:
        run(carrier)
    taken = world.taken()
    assert len(taken) == len(set(taken)) == sent


def test_the_checkpoint_stays_before_what_is_not_delivered() -> None:
    world = World()
    carrier = world.carrier()
    world.frame(0, 1)
    run(carrier)
    carrier.step()
    assert world.topics.sends[0].next == 2
    world.frame(0, 1, 2)
    world.topics.faults.extend(["lost", ""])
    carrier.step()
    carrier.step()
    assert world.topics.sends[0].next == 2
    assert carrier.errors == {} and len(world.topics.sent[1]) == 2  # it has begun again, and sent again
    run(carrier)
    carrier.step()
    assert world.topics.sends[0].next == 3


class Late(MemoryCarriage):
    """What becomes of sends is told when the test says so."""

    def __init__(self, topics: MemoryTopics) -> None:
        super().__init__(topics)
        self.told: list[Delivered] = []

    def send(self, target: int, key: bytes, record: bytes, delivered: Delivered) -> None:
        self.told.append(delivered)


def test_what_an_abandoned_producer_reports_does_not_count() -> None:
    world = World()
    late = Late(world.topics)
    carrier = Carrier(world.journal, JOURNAL, SHARDS, ledger, late, lambda: world.ms, limits=LIMITS)
    world.frame(0, 1, 1)
    carrier.step()
    late.told[0](OutputsFailed("lost"))
    carrier.step()  # begins again: both are sent anew
    assert len(late.told) == 4
    late.told[1](None)  # the second one of before landed, where the target has a gap
    carrier.step()
    carrier.step()
    assert world.topics.sends[0].next == 1
    late.told[2](None)
    late.told[3](None)
    carrier.step()
    assert world.topics.sends[0].next == 2


def test_a_record_is_keyed_by_the_routing_key_of_its_stream() -> None:
    world = World()
    world.frame(0, 1)
    run(world.carrier())
    ((key, _),) = world.topics.sent[1]
    assert key == b"b"


def test_an_error_is_said_until_the_way_is_free_again() -> None:
    world = World()
    carrier = Carrier(
        world.journal,
        JOURNAL,
        SHARDS,
        ledger,
        MemoryCarriage(world.topics),
        lambda: world.ms,
        limits=RelayLimits(retry_ms=100),
    )
    world.frame(0, 1)
    world.topics.faults.append("lost")
    carrier.step()
    carrier.step()
    assert [type(error) for error in carrier.errors.values()] == [OutputsFailed]
    assert world.topics.sent == {}
    world.ms += 100
    run(carrier)
    assert carrier.errors == {}
    assert len(world.taken()) == 1


def test_a_forward_that_cannot_be_fetched_holds_back_its_target_alone() -> None:
    world = World()
    world.log.frame(0, [Forwarded("kafka:gone:1", 4, 1, None)])  # type: ignore[list-item]  # it only encodes
    world.log.frame(0, [accepted(send(1, (1, 1, 0)), send(2))])
    carrier = world.carrier()
    for _ in range(3):
        carrier.step()
    assert [type(error) for error in carrier.errors.values()] == [InputChanged]
    assert list(world.topics.sent) == [2]
    assert carrier.held == 2


def test_a_checkpoint_beyond_the_logs_end_is_refused() -> None:
    world = World()
    world.topics.sends[0] = Checkpoint(JOURNAL, 0, SHARDS, 99, 1, "ab" * 16, 0, "0" * 64)
    carrier = world.carrier()
    carrier.step()
    assert [type(error) for error in carrier.errors.values()] == [Diverged]


def test_all_that_an_outage_fails_is_over_with_the_first_report() -> None:
    world = World()
    late = Late(world.topics)
    limits = RelayLimits(retry_ms=100, checkpoint_ms=0)
    carrier = Carrier(world.journal, JOURNAL, SHARDS, ledger, late, lambda: world.ms, limits=limits)
    for _ in range(50):
        world.frame(0, 1)
    carrier.step()
    for report in list(late.told):
        report(OutputsFailed("the brokers did not take the record in time"))
    carrier.step()
    world.ms += 100
    carrier.step()
    assert len(late.told) == 100  # all is sent again after one wait
    for report in late.told[50:]:
        report(None)
    carrier.step()
    assert carrier.held == 0
