"""What a shard counts, as somebody is shown who scrapes it: fences, lost claims, failures, invalid records, inputs."""

from __future__ import annotations

import logging

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Mode
from shardlog.ports.inputs import Input
from tests.unit.executor.ledger import Deposit, Faulty, Note, Withdraw
from tests.unit.executor.served import HandInput, HandWorld, Served, origin, value
from tests.unit.telemetry.scraped import Scrape, scrape


class EndingInput(HandInput):
    """An input that says where it ends."""

    def end(self, shard: int) -> int:
        return len(self.values)


@pytest.fixture
def served() -> Served:
    return Served().serve()


def shown(served: Served) -> Scrape:
    return scrape([served.shard.figures()])


def counter(served: Served, name: str) -> float:
    return shown(served).value(f"shardlog_{name}_total", shard="0")


# -- the shard's owner -------------------------------------------------------------------------------------------------
def test_a_shard_that_is_fenced_counts_the_fence_and_no_failure(served: Served) -> None:
    assert counter(served, "fences") == 0
    heir = served.restarted().serve()
    served.submit("a:1", Deposit(amount=1))
    served.settle()
    assert counter(served, "fences") == 1
    assert counter(served, "append_failures") == 0
    assert counter(served, "claims_lost") == 0
    assert (counter(served, "claims_appended"), counter(served, "claims_won")) == (2, 2)
    assert (counter(heir, "claims_appended"), counter(heir, "claims_won")) == (1, 1)
    assert shown(served).value("shardlog_shard_epoch", shard="0") == 3


def test_a_lost_claim_is_counted_as_such() -> None:
    journal = FaultyJournal(1)
    one, two = Served(journal), Served(journal, world=HandWorld(1))
    one.step()
    two.step()
    journal.deliver_all()
    one.step()
    two.step()
    assert (counter(one, "claims_lost"), counter(two, "claims_lost")) == (0, 1)
    assert (counter(one, "claims_won"), counter(two, "claims_won")) == (1, 0)
    assert counter(two, "fences") == counter(two, "append_failures") == 0


def test_an_append_that_fails_is_counted_and_its_command_is_counted_once(served: Served) -> None:
    served.submit("a:1", Deposit(amount=1))
    served.step()
    (flight,) = served.journal.in_flight()
    served.journal.fail(flight)
    served.journal.lose(flight)
    served.settle()
    assert counter(served, "append_failures") == 1
    assert counter(served, "fences") == 0
    assert counter(served, "frames_appended") == 2
    assert counter(served, "frames_acknowledged") == 1
    assert shown(served).total("shardlog_commands_total") == 1


def test_the_mode_is_shown_as_one_of_all_modes(served: Served) -> None:
    served.shard.drain()
    served.settle()
    modes = {mode.value: shown(served).value("shardlog_shard_mode", shard="0", mode=mode.value) for mode in Mode}
    assert modes == {mode.value: int(mode is Mode.STOPPED) for mode in Mode}


# -- what a recovery reads ---------------------------------------------------------------------------------------------
def test_invalid_records_are_counted_by_the_readers_reason(served: Served) -> None:
    served.send("a:1", Deposit(amount=1))
    served.journal.write(0, b"garbage")
    served.journal.write(0, b"more of it")
    heir = served.restarted().serve()
    assert shown(heir).value("shardlog_invalid_records_total", shard="0", reason="foreign") == 2
    assert shown(heir).total("shardlog_invalid_records_total") == 2


def test_a_recovery_counts_what_it_replays_and_says_how_far_it_had_to_go(served: Served) -> None:
    for _ in range(3):
        served.send("a:1", Deposit(amount=1))
    heir = served.restarted()
    heir.step()
    assert counter(heir, "replayed_frames") == 3
    assert shown(heir).value("shardlog_replay_end_offset", shard="0") == 4
    assert shown(heir).value("shardlog_shard_next_offset", shard="0") == 4
    heir.world.wait(250)
    heir.serve()
    assert shown(heir).value("shardlog_recovery_seconds", shard="0") == 0.25


# -- acknowledgements --------------------------------------------------------------------------------------------------
def test_an_acknowledgement_is_observed_once_a_frame_from_its_append(served: Served) -> None:
    for _ in range(5):
        served.submit("a:1", Deposit(amount=1))
    served.step()
    served.world.wait(3)
    served.settle()
    found = shown(served)
    name = "shardlog_acknowledgement_seconds"
    assert found.value(f"{name}_count", shard="0") == 1
    assert found.value(f"{name}_sum", shard="0") == pytest.approx(0.003)
    assert found.value(f"{name}_bucket", shard="0", le="0.002") == 0
    assert found.value(f"{name}_bucket", shard="0", le="0.005") == 1
    assert found.value(f"{name}_bucket", shard="0", le="10.0") == 1
    assert found.value(f"{name}_bucket", shard="0", le="+Inf") == 1
    assert found.value("shardlog_frame_commands_sum", shard="0") == 5


# -- what came of commands ---------------------------------------------------------------------------------------------
def test_the_codes_of_a_domain_are_one_class(served: Served) -> None:
    served.send("a:1", Withdraw(amount=5))
    served.send("a:2", Withdraw(amount=7))
    found = shown(served)
    assert found.value("shardlog_commands_total", shard="0", outcome="rejected", code="business") == 2
    assert found.total("shardlog_commands_total") == 2


def test_a_refusal_beside_a_frame_on_its_way_is_counted_once(served: Served) -> None:
    served.submit("a:1", Deposit(amount=1))
    served.step()
    served.submit("a:1", Deposit(amount=1), command_id="")
    served.step()
    assert served.journal.in_flight(), "the refusal was to be decided beside a frame on its way"
    served.settle()
    found = shown(served)
    assert found.value("shardlog_commands_total", shard="0", outcome="accepted", code="") == 1
    assert found.value("shardlog_commands_total", shard="0", outcome="refused", code="invalid_command") == 1
    assert found.total("shardlog_commands_total") == 2


def test_callers_that_a_full_queue_sends_away_are_counted() -> None:
    served = Served(limits=Limits(queue_commands_max=2, pipelined_commands_min=1)).serve()
    for _ in range(5):
        served.submit("a:1", Deposit(amount=1))
    assert shown(served).value("shardlog_queue_commands", shard="0") == 2
    served.settle()
    found = shown(served)
    assert found.value("shardlog_commands_total", shard="0", outcome="unserved", code="unavailable") == 3
    assert found.value("shardlog_commands_total", shard="0", outcome="accepted", code="") == 2
    assert found.value("shardlog_queue_commands", shard="0") == 0


# -- inputs ------------------------------------------------------------------------------------------------------------
def input_shown(input: Input) -> tuple[Served, Scrape]:
    served = Served(inputs=[input]).serve()
    return served, shown(served)


def test_an_inputs_records_are_counted_by_outcome_and_its_lag_is_what_is_not_settled() -> None:
    input = EndingInput("kafka:orders:f00d")
    served, _ = input_shown(input)
    input.put(
        value("a:1", Deposit(amount=1), command_id="one"), b"{", value("a:1", Deposit(amount=1), command_id="one")
    )
    assert shown(served).value("shardlog_input_lag_records", shard="0", input="kafka:orders") == 3
    served.settle()
    found = shown(served)
    assert found.value("shardlog_input_lag_records", shard="0", input="kafka:orders") == 0
    assert found.value("shardlog_input_settled_offset", shard="0", input="kafka:orders") == 3
    assert found.value("shardlog_commands_total", shard="0", outcome="accepted", code="") == 1
    assert found.value("shardlog_commands_total", shard="0", outcome="unreadable", code="undecodable") == 1
    assert found.value("shardlog_commands_total", shard="0", outcome="repeated", code="") == 1
    assert found.total("shardlog_commands_total") == 3


def test_an_input_that_does_not_say_where_it_ends_shows_no_lag() -> None:
    _, found = input_shown(HandInput())
    assert found.value("shardlog_input_settled_offset", shard="0", input="feeder:hand") == 0
    assert not found.has("shardlog_input_lag_records")


def test_an_input_that_cannot_be_read_is_shown_as_failing(caplog: pytest.LogCaptureFixture) -> None:
    class Away(HandInput):
        def read(self, shard: int, start: int, limit: int) -> list[tuple[int, bytes]]:
            raise ConnectionError("nobody is there")

    _, found = input_shown(Away())
    assert found.value("shardlog_input_failing", shard="0", input="feeder:hand") == 1
    assert vars(caplog.records[-1])["input"] == "feeder:hand:1"


# -- logs --------------------------------------------------------------------------------------------------------------
def test_a_line_on_a_fence_carries_journal_shard_and_epoch(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.restarted().serve()
    served.submit("a:1", Deposit(amount=1))
    with caplog.at_level(logging.WARNING, "shardlog.executor"):
        served.settle()
    (line,) = (record for record in caplog.records if "was claimed" in record.message)
    about = vars(line)
    assert "epoch 2 was claimed by " in line.message
    assert (about["journal"], about["shard"], about["epoch"]) == (served.writer.reader.journal, 0, 2)


def test_a_line_on_an_exception_of_the_domain_carries_shard_and_epoch(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "evolve_raises", "boom")
    served.send("a:1", Note(text="boom"))
    (line,) = (record for record in caplog.records if "ended in an exception" in record.message)
    assert (vars(line)["shard"], vars(line)["epoch"]) == (0, 1)


def test_a_send_that_came_too_soon_is_a_gap_and_no_repeat_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    input = EndingInput("kafka:sends:f00d")
    served, _ = input_shown(input)
    for number, before in ((0, None), (2, 1), (3, 2), (0, None), (1, 0)):
        previous = None if before is None else (1, 1, before)
        sent = origin((1, 1, number), previous)
        input.put(value("a:1", Deposit(amount=1), command_id=f"s-{number}", origin=sent))
    served.settle()
    found = shown(served)
    assert found.value("shardlog_commands_total", shard="0", outcome="gap", code="") == 2
    assert found.value("shardlog_commands_total", shard="0", outcome="repeated", code="") == 1
    assert found.value("shardlog_commands_total", shard="0", outcome="accepted", code="") == 2
    said = [record.getMessage() for record in caplog.records if "before its turn" in record.getMessage()]
    assert len(said) == 1
    assert "send (1, 1, 2) of shard 1 came before its turn" in said[0]
