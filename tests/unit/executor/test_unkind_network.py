"""Whatever the network does and whoever takes over, each command and each send is taken once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from shardlog import CommandAccepted, CommandRejected
from shardlog.adapters.memory.faulty import Faults, FaultyJournal
from shardlog.ports.sends import At, SendsSource
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import JOURNAL, HandInput, HandWorld, Served, everything, origin, replayed, value


# -- commands ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_network_does_each_command_is_applied_once_where_its_answer_says(seed: int) -> None:
    """Two processes on one shard, an unkind network, one of them often paused; then all calms down."""
    random = Random(seed)
    journal = FaultyJournal(1)
    world = HandWorld()
    source = HandInput()
    owners = [
        Served(journal, world=world, inputs=[source]),
        Served(journal, world=HandWorld(7, world.clock), inputs=[source]),
    ]
    faults = Faults(journal, random, unkindness=random.random())
    asked: list[tuple[Served, int, str]] = []
    for n in range(300):
        owner = owners[0] if random.random() < 0.7 else owners[1]
        happening = random.random()
        if happening < 0.2:
            command_id = f"{seed}-{n}"
            stream = f"a:{random.randrange(3)}"
            asked.append((owner, owner.submit(stream, Deposit(amount=1), command_id=command_id), command_id))
        elif happening < 0.23:
            source.put(value("f:1", Deposit(amount=1)))
        elif happening < 0.6:
            owner.step()
        elif happening < 0.95:
            faults.step()
        else:
            world.wait(random.choice([10, 1_000, 11_000]))
    for owner in owners * 3:  # one after the other, so that neither fences the other for ever
        owner.settle()
        world.wait(11_000)  # what is lost in silence is given up
    last = max(owners, key=lambda owner: owner.writer.reader.epoch)
    last.settle()
    check_answers(last, asked)
    assert last.state("f:1") is None or last.state("f:1").balance == len(source.values)
    assert replayed(last) == everything(last.core.state)


def check_answers(last: Served, asked: list[tuple[Served, int, str]]) -> None:
    """Every command was answered, is in the log at most once, and exactly once at the token it was told."""
    places: dict[str, list[str]] = {}
    for offset, frame in zip((offset for offset, _ in last.valid()), last.frames(), strict=True):
        index = 0
        for entry in frame.entries:
            places.setdefault(entry.command_id, []).append(f"{JOURNAL}.0.{offset}.{index}")
            index += len(entry.events) or 1
    for owner, ticket, command_id in asked:
        assert owner.is_answered(ticket), command_id
        outcome = owner.outcome(ticket)
        if isinstance(outcome, CommandAccepted):
            assert places[command_id] == [outcome.token]
        else:
            assert not isinstance(outcome, CommandRejected), outcome
            assert len(places.get(command_id, [])) <= (outcome.code == "outcome_unknown")


# -- sends -------------------------------------------------------------------------------------------------------------
class Carried(SendsSource):
    """Sends of one source shard, offered as long as they are not received."""

    def __init__(self, count: int) -> None:
        previous = [None, *((1, 1, number) for number in range(count - 1))]
        self.values = [
            (
                (1, 1, number),
                value("a:1", Deposit(amount=1), command_id=f"s-{number}", origin=origin((1, 1, number), before)),
            )
            for number, before in enumerate(previous)
        ]

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        last = received.get(1, (-1, 0, 0))
        return [found for at, found in self.values if at > last][:limit]


def test_sends_are_pulled_and_taken_once_whatever_fails_and_whoever_takes_over() -> None:
    sends = Carried(500)
    served = Served(sends=sends)
    network = Faults(served.journal, Random(7), 0.4)
    for _ in range(400):
        served.shard.step()
        network.step()
        served.world.wait(20)
    heir = served.restarted(sends=sends)
    heir.settle()
    assert heir.state("a:1").balance == 500
    assert heir.shard.received == {1: (1, 1, 499)}
    assert heir.shard.step() is False


def test_a_send_that_no_frame_can_have_held_stops_the_shard_and_is_not_passed_over() -> None:
    sends = Carried(1)
    sends.values = [((1, 1, 0), b"[]")]
    served = Served(sends=sends)
    with pytest.raises(ValueError, match="a relay brought"):
        served.settle()
