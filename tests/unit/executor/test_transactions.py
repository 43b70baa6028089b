"""A command over several streams of one routing key: all or nothing, in one entry."""

from __future__ import annotations

import pytest

from shardlog import CommandAccepted, CommandRejected, Position
from tests.unit.executor.ledger import Deposit, Transfer, Withdrawn
from tests.unit.executor.served import HandInput, Served, everything, replayed, value


@pytest.fixture
def served() -> Served:
    served = Served().serve()
    served.send("a:1", Deposit(amount=10))
    return served


def test_a_transfer_writes_both_streams_in_one_entry_in_the_order_of_appending(served: Served) -> None:
    outcome = served.send("a:1", Transfer(to="a:2", amount=4, audited=True))
    assert isinstance(outcome, CommandAccepted)
    entry = served.entries()[-1]
    assert [(event.type, event.id, event.version) for event in entry.events] == [
        ("account/deposited/1", "a:2", 1),
        ("book/written/1", "a:1", 1),
        ("account/withdrawn/1", "a:1", 2),
    ]
    assert (served.state("a:1").balance, served.state("a:2").balance) == (6, 4)
    assert served.state("a:1", "book").lines == 1
    assert replayed(served) == everything(served.core.state)


def test_its_answer_shows_the_events_of_its_own_stream_and_the_place_of_the_last_one(served: Served) -> None:
    outcome = served.send("a:1", Transfer(to="a:2", amount=4, audited=True))
    assert isinstance(outcome, CommandAccepted)
    assert outcome.events == (Withdrawn(amount=4),)
    assert outcome.version == 2
    assert Position.parse(outcome.token).index == 2


def test_a_transfer_that_is_refused_after_it_appended_leaves_no_trace_on_any_stream(served: Served) -> None:
    before = everything(served.core.state)["streams"]
    outcome = served.send("a:1", Transfer(to="a:2", amount=11, audited=True))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "insufficient_funds"
    assert everything(served.core.state)["streams"] == before
    assert replayed(served) == everything(served.core.state)


def test_a_stream_of_another_routing_key_is_refused_even_in_the_same_shard(served: Served) -> None:
    """Rule: a transaction touches streams of one routing key only, never merely of one shard."""
    outcome = served.send("a:1", Transfer(to="b:2", amount=1))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "other_routing_key"
    assert outcome.token is not None
    assert "'b'" in outcome.message
    assert served.version("b:2") == 0
    assert served.entries()[-1].code == "other_routing_key"


def test_other_routing_key_on_a_record_of_an_input_notes_where_it_stands() -> None:
    source = HandInput()
    source.put(value("a:1", Transfer(to="b:2", amount=1)))
    (entry,) = Served(inputs=[source]).serve().entries()
    assert (entry.code, entry.source) == ("other_routing_key", ("feeder:hand:1", 0))


def test_a_transfer_to_its_own_stream_sees_what_it_appended(served: Served) -> None:
    outcome = served.send("a:1", Transfer(to="a:1", amount=15))
    assert isinstance(outcome, CommandAccepted)
    assert outcome.version == 3
    assert len(outcome.events) == 2
    assert served.state("a:1").balance == 10


def test_going_back_over_a_failed_frame_restores_every_stream_it_touched(served: Served) -> None:
    before = everything(served.core.state)
    for amount in (4, 3):
        served.submit("a:1", Transfer(to="a:2", amount=amount, audited=True))
        served.step()
    served.submit("a:2", Transfer(to="a:3", amount=2))
    served.step()
    assert served.state("a:3").balance == 2
    assert served.core.pending == 3
    _, waiting = served.core.roll_back()
    assert len(waiting) == 3
    assert everything(served.core.state) == before


def test_two_transfers_over_the_same_streams_in_one_frame_are_undone_in_reverse(served: Served) -> None:
    before = everything(served.core.state)
    served.submit("a:1", Transfer(to="a:2", amount=4))
    served.submit("a:2", Transfer(to="a:1", amount=1))
    served.submit("a:1", Transfer(to="a:2", amount=2, audited=True))
    served.step()
    assert served.core.pending == 1
    served.core.roll_back()
    assert everything(served.core.state) == before


def test_the_first_outcome_of_a_repeated_transfer_is_the_same(served: Served) -> None:
    first = served.send("a:1", Transfer(to="a:2", amount=4, audited=True), command_id="t")
    assert served.send("a:1", Transfer(to="a:2", amount=4, audited=True), command_id="t") == first
    assert served.state("a:2").balance == 4
