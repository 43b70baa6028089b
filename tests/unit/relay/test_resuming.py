"""What a relay remembers and what it does not need to: checkpoints, bounds, restarts, two at once, faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.adapters.memory.relay import MemoryRelayStore
from shardlog.errors import ConfigurationError, Corrupt, Diverged, StoreUnavailable
from shardlog.journal.records import Forwarded, Unreadable
from shardlog.ports.checkpoints import Move
from shardlog.ports.relay import CommandDeadLetter
from shardlog.ports.sends import At
from shardlog.relay.limits import RelayLimits
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import HandInput, value
from tests.unit.relay.sent import JOURNAL, SHARDS, TOPIC, Sent, accepted, ats, came, rejected, send


def chain(sent: Sent, count: int, shard: int = 0, target: int = 1, first: int = 1) -> None:
    """Frames of one send each."""
    for seq in range(first, first + count):
        sent.frame(shard, accepted(send(target, (1, seq - 1, 0) if seq > 1 else None)))


def test_the_checkpoint_stays_before_the_first_frame_whose_sends_are_not_all_received() -> None:
    sent = Sent()
    chain(sent, 1)
    sent.frame(0, accepted(send(1, (1, 1, 0)), send(2)))
    sent.frame(0, accepted())
    sent.run()
    assert sent.stored() == {0: 1, 1: 1, 2: 1}
    sent.take(1)
    sent.run()
    assert sent.stored()[0] == 2
    sent.take(2)
    sent.run()
    assert sent.stored()[0] == 4


def test_a_frame_without_sends_is_passed_at_once_and_invalid_records_too() -> None:
    sent = Sent()
    sent.frame(0, accepted())
    sent.log.append(0, b"no record")
    sent.run()
    assert sent.stored() == {0: 3, 1: 1, 2: 1}


def test_a_relay_that_starts_again_offers_what_is_not_received_and_nothing_else() -> None:
    sent = Sent()
    chain(sent, 5)
    sent.run()
    sent.received[1] = {0: (1, 3, 0)}
    sent.run()
    again = sent.another()
    sent.run(again)
    assert ats(sent.waiting(1, again)) == [(1, 4, 0), (1, 5, 0)]
    assert again.held == 2


def test_a_relay_that_lost_its_checkpoint_begins_at_the_beginning_and_offers_nothing_twice() -> None:
    store = MemoryRelayStore()
    sent = Sent(store=store)
    chain(sent, 5)
    sent.frame(0, rejected("unknown_command", origin=came(), payload=b"{}"))
    sent.run()
    sent.received[1] = {0: (1, 3, 0)}
    sent.run()
    store.forget_checkpoints()
    again = sent.another()
    sent.run(again)
    assert ats(sent.waiting(1, again)) == [(1, 4, 0), (1, 5, 0)]
    assert len(sent.letters()) == 1


def test_a_relay_goes_on_over_a_takeover() -> None:
    sent = Sent()
    chain(sent, 2)
    sent.log.claim(0)
    sent.frame(0, accepted(send(1, (1, 2, 0))))
    sent.run()
    assert ats(sent.take(1)) == [(1, 1, 0), (1, 2, 0), (2, 1, 0)]
    sent.run()
    assert sent.relay.behind() == 0
    assert sent.stored()[0] == 5


def test_dead_letters_are_stored_while_sends_before_them_are_not_received() -> None:
    sent = Sent()
    chain(sent, 1)
    sent.frame(0, rejected("unknown_command", origin=came(), payload=b"{}"))
    sent.run()
    assert len(sent.letters()) == 1
    assert sent.stored()[0] == 1
    again = sent.another()
    sent.run(again)
    assert len(sent.letters()) == 1


def test_behind_counts_what_is_unread_and_what_is_not_received() -> None:
    sent = Sent()
    chain(sent, 3)
    assert sent.relay.behind() == 6  # with three claims
    sent.run()
    assert sent.relay.behind() == 3
    sent.received[1] = {0: (1, 2, 0)}
    assert sent.relay.behind() == 1
    sent.take(1)
    assert sent.relay.behind() == 0


# -- bounds ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "limits",
    [
        RelayLimits(held_sends_max=12, checkpoint_ms=0),
        RelayLimits(held_bytes_max=1_500, checkpoint_ms=0),
    ],
)
def test_what_is_held_is_bounded_and_all_of_it_comes_by_in_the_end(limits: RelayLimits) -> None:
    sent = Sent(limits=limits)
    chain(sent, 50)
    chain(sent, 3, shard=2)
    taken: dict[int, list[At]] = {0: [], 2: []}
    while sent.relay.step() or sent.waiting(1):
        assert sent.relay.held <= 4 + 3
        for record in sent.take(1):
            assert record.origin is not None
            taken[record.origin.shard].append((record.origin.epoch, record.origin.seq, record.origin.number))
    assert taken == {0: [(1, seq, 0) for seq in range(1, 51)], 2: [(1, seq, 0) for seq in range(1, 4)]}


def test_a_target_that_takes_nothing_does_not_keep_other_sources_waiting() -> None:
    sent = Sent(limits=RelayLimits(held_sends_max=9, checkpoint_ms=0))
    chain(sent, 50, target=1)
    chain(sent, 5, shard=1, target=2)
    sent.run()
    assert sent.relay.held == 3 + 3
    assert len(sent.take(2)) == 3
    sent.run()
    assert len(sent.take(2)) == 2


def test_forwards_count_with_their_bytes_once_they_are_fetched() -> None:
    topic = HandInput(TOPIC)
    topic.put(*(value("x:1", Deposit(amount=n + 1)) for n in range(40)))
    sent = Sent(inputs=[topic], limits=RelayLimits(held_bytes_max=3_000, checkpoint_ms=0))
    sent.frame(0, *(Forwarded(TOPIC, n, 1, (1, 1, n - 1) if n else None) for n in range(40)))
    sent.run()
    assert 0 < len(sent.waiting(1)) < 10
    taken = 0
    while batch := sent.take(1):
        taken += len(batch)
        sent.run()
    assert taken == 40
    assert sent.relay.held == 0
    assert sent.relay._held.size(0) == (0, 0)


def test_forwards_that_were_received_before_they_were_fetched_are_forgotten() -> None:
    sent = Sent(inputs=[])
    sent.frame(0, Forwarded(TOPIC, 0, 1, None), Forwarded(TOPIC, 1, 2, None), accepted(send(1, (1, 1, 0))))
    sent.run()
    assert sent.waiting(1) == []
    sent.received[1] = {0: (1, 1, 0)}
    sent.run()
    assert ats(sent.waiting(1)) == [(1, 1, 2)]
    sent.received[2] = {0: (1, 1, 1)}
    sent.take(1)
    sent.run()
    assert sent.stored()[0] == 2


def test_a_forward_is_fetched_though_what_stands_behind_it_has_taken_all_room() -> None:
    topic = HandInput(TOPIC)
    sent = Sent(inputs=[topic], limits=RelayLimits(held_bytes_max=3_000, checkpoint_ms=0, retry_ms=0))
    sent.frame(0, Forwarded(TOPIC, 0, 1, None), Forwarded(TOPIC, 1, 2, None))
    sent.frame(0, accepted(send(1, (1, 1, 0))), Forwarded(TOPIC, 2, 1, (1, 2, 0)))
    for seq in range(3, 20):
        sent.frame(0, accepted(send(1, (1, 2, 1) if seq == 3 else (1, seq - 1, 0), payload=b'"%s"' % (b"x" * 200))))
    sent.run()
    assert sent.relay._held.size(0).bytes >= 1_000
    topic.put(*(value("x:1", Deposit(amount=n + 1)) for n in range(3)))
    sent.run()
    assert ats(sent.waiting(1)) == [(1, 1, 0), (1, 2, 0)]  # the forward behind them waits for room
    assert ats(sent.take(2)) == [(1, 1, 1)]
    taken = 0
    while batch := sent.take(1):
        taken += len(batch)
        sent.run()
    assert taken == 20
    assert sent.relay.held == 0
    assert sent.relay.errors == {}


def test_a_relay_setting_that_is_too_small_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="held_sends_max is 0"):
        RelayLimits(held_sends_max=0)


# -- two at once, and faults -------------------------------------------------------------------------------------------
def test_of_two_relays_the_checkpoint_goes_forward_only_and_letters_stand_once() -> None:
    sent = Sent()
    other = sent.another()
    for seq in range(1, 30):
        sent.frame(0, accepted(send(1, (1, seq - 1, 0) if seq > 1 else None)))
        sent.frame(2, rejected("unknown_command", origin=came(), payload=b"{}"))
        before = sent.stored()
        for relay in (sent.relay, other) if seq % 3 else (other,):
            sent.run(relay)
        sent.take(1, other if seq % 2 else sent.relay)
        assert all(sent.stored()[shard] >= next for shard, next in before.items())
    for relay in (sent.relay, other, sent.relay):
        sent.run(relay)
        assert relay.errors == {}
    assert sent.stored() == {0: 30, 1: 1, 2: 30}
    assert len(sent.letters()) == 29


def test_a_relay_that_is_behind_another_does_not_move_the_checkpoint_back() -> None:
    sent = Sent()
    slow = sent.another(RelayLimits(checkpoint_ms=0, read_records_max=1))
    for _ in range(10):
        for _ in range(5):
            sent.frame(0, accepted())
        sent.run()
        slow.step()
        slow.step()
        assert sent.stored()[0] == sent.journal.offsets(0)[1]
    assert slow.errors == {}


class BrokenStore(MemoryRelayStore):
    """Takes nothing while it is broken."""

    is_broken = False

    def write(self, moves: Sequence[Move], letters: Sequence[CommandDeadLetter]) -> None:
        if self.is_broken:
            raise StoreUnavailable("the disk is full")
        super().write(moves, letters)


def test_sends_are_carried_while_the_store_takes_nothing_and_letters_wait_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = BrokenStore()
    sent = Sent(store=store, limits=RelayLimits(checkpoint_ms=0, retry_ms=0, held_letters_max=3))
    store.is_broken = True
    chain(sent, 2)
    sent.frame(0, *(rejected("unknown_command", origin=came(), payload=b"{}") for _ in range(3)))
    chain(sent, 1, first=4)
    sent.run()
    assert ats(sent.take(1)) == [(1, 1, 0), (1, 2, 0)]
    assert isinstance(sent.relay.errors["the store"], StoreUnavailable)
    assert caplog.text.count("the disk is full") == 1
    store.is_broken = False
    sent.run()
    sent.run()
    assert len(sent.letters()) == 3
    assert sent.relay.errors == {}
    assert ats(sent.take(1)) == [(1, 4, 0)]


def test_after_an_error_the_store_is_left_alone_for_a_while() -> None:
    store = BrokenStore()
    sent = Sent(store=store, limits=RelayLimits(checkpoint_ms=0, retry_ms=100))
    store.is_broken = True
    chain(sent, 1)
    sent.run()
    store.is_broken = False
    sent.run()
    assert sent.stored() == {}
    sent.ms += 100
    sent.run()
    assert sent.stored() != {}


def test_checkpoints_are_written_now_and_then_and_at_the_end() -> None:
    sent = Sent(limits=RelayLimits(checkpoint_ms=500))
    sent.frame(0, accepted())
    sent.run()
    assert sent.stored() == {}
    sent.ms += 500
    sent.run()
    assert sent.stored()[0] == 2
    sent.frame(0, accepted())
    sent.run()
    assert sent.stored()[0] == 2
    sent.relay.flush()
    assert sent.stored()[0] == 3


def test_a_record_that_cannot_be_read_holds_back_its_shard_and_is_tried_again() -> None:
    journal = FaultyJournal(SHARDS)
    sent = Sent(journal=Landing(journal))
    chain(sent, 2)
    chain(sent, 1, shard=2)
    journal.tear(0, 1)
    sent.run()
    assert isinstance(sent.relay.errors["shard 0"], Corrupt)
    assert len(sent.take(1)) == 1
    journal._torn.clear()
    sent.run()
    assert ats(sent.take(1)) == [(1, 1, 0), (1, 2, 0)]
    assert sent.relay.errors == {}


class Landing(FaultyJournal):
    """The same logs, where appends land at once."""

    def __init__(self, journal: FaultyJournal) -> None:
        self.__dict__ = journal.__dict__

    def writer(self, shard: int) -> Any:
        journal = self

        class Lands:
            def append(self, value: bytes, reported: Any) -> None:
                journal.write(shard, value)

        return Lands()


def test_a_log_that_ends_before_the_checkpoint_is_said_to_have_lost_records() -> None:
    sent = Sent()
    chain(sent, 3)
    sent.run()
    sent.take(1)
    sent.run()
    shorter = Sent(store=sent.store)
    shorter.run()
    assert isinstance(shorter.relay.errors["shard 0"], Diverged)
    assert sent.stored()[0] == 4


def test_checkpoints_of_another_number_of_shards_are_refused() -> None:
    sent = Sent()
    sent.run()
    found = sent.store.checkpoints(JOURNAL)[0]
    other = MemoryRelayStore()
    other.write([Move(None, found._replace(shards=5))], [])
    wrong = Sent(store=other)
    assert not wrong.relay.step()
    assert "5 shards" in str(wrong.relay.errors["the store"])


def test_a_forward_that_is_received_by_way_of_another_relay_is_an_error_no_more() -> None:
    sent = Sent(limits=RelayLimits(checkpoint_ms=0, retry_ms=1_000))
    sent.frame(0, Forwarded(TOPIC, 0, 1, None), Forwarded(TOPIC, 1, 1, (1, 1, 0)), Forwarded(TOPIC, 2, 2, None))
    sent.run()
    assert sorted(sent.relay.errors) == ["forwards of shard 0 to 1", "forwards of shard 0 to 2"]
    sent.received[1] = {0: (1, 1, 0)}
    sent.run()
    assert "offset 1 of shard 0" in str(sent.relay.errors["forwards of shard 0 to 1"])
    sent.received[1] = {0: (1, 1, 1)}
    assert sent.relay.behind() == 1
    assert list(sent.relay.errors) == ["forwards of shard 0 to 2"]


class GivesText(HandInput):
    """Keeps no promise of its port."""

    def read(self, shard: int, start: int, limit: int) -> Any:
        return [(start, "a text")]


def test_a_letter_that_could_not_be_made_stays_before_the_checkpoint_and_is_found_again() -> None:
    sent = Sent(inputs=[GivesText(TOPIC)])
    sent.frame(0, accepted())
    sent.frame(0, Unreadable(TOPIC, 0, "undecodable", "?"))
    with pytest.raises(TypeError):
        sent.run()
    sent.relay.flush()
    assert sent.stored()[0] == 2
    assert sent.letters() == []
    sent.inputs = []
    sent.run(sent.another())
    assert [letter.position.offset for letter in sent.letters()] == [2]


def test_an_input_that_raises_costs_a_dead_letter_its_bytes_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    class Raises(HandInput):
        def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
            raise OSError("the disk is gone")

    sent = Sent(inputs=[Raises(TOPIC)])
    sent.frame(0, Unreadable(TOPIC, 0, "undecodable", "?"), Forwarded(TOPIC, 1, 1, None), accepted(send(2)))
    sent.run()
    assert [letter.original for letter in sent.letters()] == [None]
    assert "the disk is gone" in caplog.text
    assert len(sent.waiting(2)) == 1
    assert "the disk is gone" in str(sent.relay.errors["forwards of shard 0 to 1"])
