"""What makes it safe to send a request again: rules D1, D2, D5 and D6."""

from __future__ import annotations

import pytest

from shardlog import CommandAccepted, CommandRejected, CommandUnavailable, Outcome
from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.errors import Truncated
from shardlog.executor.requests import Request
from shardlog.ids import uuid7
from tests.unit.executor.ledger import Deposit, Draw, Look, Note, Split, Withdraw
from tests.unit.executor.served import SECOND, TIME, HandWorld, Served, everything, origin, record, replayed


@pytest.fixture
def served() -> Served:
    return Served().serve()


def id_of(time_us: int, n: int = 0) -> str:
    return uuid7(time_us, n.to_bytes(10, "big"))


def code(outcome: Outcome) -> str:
    return "accepted" if isinstance(outcome, CommandAccepted) else outcome.code


COMMANDS = [
    Deposit(amount=5),
    Look(),
    Split(parts=4),
    Draw(),
    Note(text="ä€😀\n\"'\\", times=3),
    Withdraw(amount=1),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("command_id", ["plain", id_of(TIME - 30 * SECOND)])
def test_a_repeat_gets_the_first_answer_read_again_from_its_frame(
    served: Served, command: object, command_id: str
) -> None:
    """Rule D2: also after other commands, other frames, and a restart."""
    neighbours = [served.submit("a:1", Split(parts=2)) for _ in range(2)]
    ticket = served.submit("a:1", command, command_id=command_id)
    served.settle()
    first = served.outcome(ticket)
    served.send("a:1", Deposit(amount=100))
    version = served.version("a:1")
    assert served.send("a:1", command, command_id=command_id) == first
    again = served.restarted().serve()
    assert again.send("a:1", command, command_id=command_id) == first
    assert again.version("a:1") == version
    assert len(neighbours) == 2


def test_a_repeat_of_a_wrong_version_gets_the_same_details(served: Served) -> None:
    first = served.send("a:1", Deposit(amount=1), command_id="c", expected_version=4)
    assert code(first) == "wrong_version"
    assert served.send("a:1", Deposit(amount=1), command_id="c", expected_version=4) == first


def test_a_repeat_of_a_command_on_its_way_waits_for_its_acknowledgement(served: Served) -> None:
    """Rules D2 and K3: nothing is said of a frame that may not stand in the log."""
    first = served.submit("a:1", Deposit(amount=5), command_id="c")
    served.step()
    repeat = served.submit("a:1", Deposit(amount=5), command_id="c")
    served.step(3)
    assert served.core.pending == 1
    assert not served.is_answered(repeat)
    served.settle()
    assert served.outcome(repeat) == served.outcome(first)
    assert served.state("a:1").balance == 5
    assert len(served.frames()) == 1


def test_a_repeat_within_one_frame_gets_the_answer_of_the_first(served: Served) -> None:
    tickets = [served.submit("a:1", Deposit(amount=5), command_id="c") for _ in range(3)]
    served.settle()
    assert len({served.outcome(ticket).token for ticket in tickets}) == 1
    assert [len(frame.entries) for frame in served.frames()] == [1]


def test_a_repeat_of_a_command_whose_frame_never_lands_is_decided_once(served: Served) -> None:
    first = served.submit("a:1", Deposit(amount=5), command_id="c")
    served.step()
    repeat = served.submit("a:1", Deposit(amount=5), command_id="c")
    served.step()
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.journal.fail(flight)
    served.settle()
    assert served.outcome(first) == served.outcome(repeat)
    assert served.state("a:1").balance == 5


DIFFERENT = {
    "another payload": (Deposit(amount=6), {}),
    "another command": (Withdraw(amount=5), {}),
    "an expected version": (Deposit(amount=5), {"expected_version": 0}),
    "a time": (Deposit(amount=5), {"occurred_at": TIME}),
}


@pytest.mark.parametrize("difference", DIFFERENT)
@pytest.mark.parametrize("is_pending", [False, True])
def test_the_same_id_with_something_else_is_refused_as_reused(
    served: Served, difference: str, is_pending: bool
) -> None:
    """Rule D6: the payload check covers command, payload, expected version and occurred_at."""
    command, more = DIFFERENT[difference]
    served.submit("a:1", Deposit(amount=5), command_id="c")
    served.step()
    if not is_pending:
        served.settle()
    reused = served.submit("a:1", command, command_id="c", **more)
    served.step()
    assert served.is_answered(reused) is not is_pending
    served.settle()
    assert code(served.outcome(reused)) == "id_reused"
    assert len(served.entries()) == 1


@pytest.mark.parametrize(
    "more", [{"expected_version": 0}, {"occurred_at": TIME}, {"expected_version": 0, "occurred_at": 5}]
)
def test_the_same_expectations_make_a_repeat_and_other_ones_do_not(served: Served, more: dict[str, int]) -> None:
    first = served.send("a:1", Deposit(amount=5), command_id="c", **more)
    assert code(first) == "accepted"
    assert served.send("a:1", Deposit(amount=5), command_id="c", **more) == first
    for name in more:
        other = more | {name: more[name] + 1}
        assert code(served.send("a:1", Deposit(amount=5), command_id="c", **other)) == "id_reused"
    assert code(served.send("a:1", Deposit(amount=5), command_id="c")) == "id_reused"
    again = served.restarted().serve()
    assert again.send("a:1", Deposit(amount=5), command_id="c", **more) == first


@pytest.mark.parametrize("scope", [{"id": "a:2"}, {"tenant": "other"}])
def test_a_command_id_is_scoped_to_tenant_category_and_stream(served: Served, scope: dict[str, str]) -> None:
    served.send("a:1", Deposit(amount=5), command_id="c")
    id = scope.pop("id", "a:1")
    assert code(served.send(id, Deposit(amount=5), command_id="c", **scope)) == "accepted"
    assert len(served.entries()) == 2


@pytest.mark.parametrize("channel", ["local", "http", "grpc"])
def test_every_channel_of_requests_has_the_window(served: Served, channel: str) -> None:
    first = served.send("a:1", Deposit(amount=5), command_id="c", channel=channel)
    assert served.send("a:1", Deposit(amount=5), command_id="c", channel="local") == first


def test_an_id_from_before_the_window_is_expired_even_if_it_was_never_seen(served: Served) -> None:
    """Rules D2 and D5: it may have been applied, and nobody knows; it is not recorded."""
    at_the_edge = served.send("a:1", Deposit(amount=1), command_id=id_of(TIME - 60 * SECOND))
    before = served.send("a:1", Deposit(amount=1), command_id=id_of(TIME - 60 * SECOND - 1000))
    assert (code(at_the_edge), code(before)) == ("accepted", "expired")


def test_an_id_ahead_of_the_clock_is_taken_up_to_clock_ahead_max_and_not_beyond(served: Served) -> None:
    at_the_edge = served.send("a:1", Deposit(amount=1), command_id=id_of(TIME + 10 * SECOND))
    beyond = served.send("a:1", Deposit(amount=1), command_id=id_of(TIME + 10 * SECOND + 1000))
    assert (code(at_the_edge), code(beyond)) == ("accepted", "issued_in_future")


def test_a_hit_is_answered_before_age_is_looked_at(served: Served) -> None:
    """Rule D5: the order of tests is window, expired, issued_in_future, room."""
    served = Served(limits={"dedupe_window_ms": 60_000, "dedupe_ids_max": 1}).serve()
    command_id = id_of(TIME)
    first = served.send("a:1", Deposit(amount=1), command_id=command_id)
    assert served.send("a:1", Deposit(amount=1), command_id=command_id) == first  # full
    served.world.wait(60_001)
    assert served.send("a:1", Deposit(amount=1), command_id=command_id) == first  # older than the window, still in it


def test_age_is_looked_at_before_room(served: Served) -> None:
    served = Served(limits={"dedupe_ids_max": 1}).serve()
    served.send("a:1", Deposit(amount=1))
    assert code(served.send("a:1", Deposit(amount=1), command_id=id_of(TIME - 100 * SECOND))) == "expired"
    assert code(served.send("a:1", Deposit(amount=1), command_id=id_of(TIME + 100 * SECOND))) == "issued_in_future"
    assert code(served.send("a:1", Deposit(amount=1))) == "unavailable"


def tick(served: Served, seconds: float) -> None:
    """Time passes, and a frame says so."""
    served.world.wait(seconds * 1000)
    served.send("tick:1", Look())


def test_an_id_dated_ahead_stays_in_the_window_until_it_would_be_expired(served: Served) -> None:
    """Rule D5: dated 5 s ahead, it must not leave the window before it is refused as expired."""
    command_id = id_of(TIME + 5 * SECOND)
    first = served.send("a:1", Deposit(amount=1), command_id=command_id)
    seen = set()
    for _ in range(400):
        tick(served, 0.25)
        outcome = served.send("a:1", Deposit(amount=1), command_id=command_id)
        assert outcome == first or code(outcome) == "expired"
        seen.add(code(outcome))
    assert seen == {"accepted", "expired"}
    assert served.state("a:1").balance == 1


@pytest.mark.parametrize("ahead_s", [-59.9, -30, 0, 9.9])
@pytest.mark.parametrize("window_ms", [1_000, 60_000])
def test_no_age_lets_an_id_with_a_time_be_applied_twice(ahead_s: float, window_ms: int) -> None:
    """Rule D5, at each moment around the end of the window, live and rebuilt by replay."""
    served = Served(limits={"dedupe_window_ms": window_ms}).serve()
    command_id = id_of(TIME + int(max(ahead_s, -window_ms / 1000) * SECOND))
    served.send("a:1", Deposit(amount=1), command_id=command_id)
    for _ in range(40):
        tick(served, window_ms / 1000 / 16)
        assert code(served.send("a:1", Deposit(amount=1), command_id=command_id)) in ("accepted", "expired")
        again = served.restarted().serve()
        assert code(again.send("a:1", Deposit(amount=1), command_id=command_id)) in ("accepted", "expired")
        assert again.state("a:1").balance == served.state("a:1").balance == 1
        served = again


def test_an_id_without_a_time_is_known_for_at_least_the_window(served: Served) -> None:
    first = served.send("a:1", Deposit(amount=1), command_id="plain")
    for _ in range(12):
        tick(served, 5)
        assert served.send("a:1", Deposit(amount=1), command_id="plain") == first
    tick(served, 30)
    assert code(served.send("a:1", Deposit(amount=1), command_id="plain")) == "accepted"
    assert served.state("a:1").balance == 2  # the window's promise is all that it has


def test_a_full_window_answers_unavailable_and_has_room_again_when_time_has_passed() -> None:
    """Rule D5: rather than forget; and it cannot refuse for ever, though a refusal makes no frame that moves time."""
    served = Served(limits={"dedupe_ids_max": 3}).serve()
    for _ in range(3):
        assert code(served.send("a:1", Deposit(amount=1))) == "accepted"
    refused = served.send("a:1", Deposit(amount=1))
    assert isinstance(refused, CommandUnavailable)
    assert (refused.code, refused.retry_after_ms) == ("unavailable", 200)
    assert "dedupe_ids_max" in refused.message
    served.world.wait(76_000)
    assert code(served.send("a:1", Deposit(amount=1))) == "accepted"
    assert served.state("a:1").balance == 4
    assert replayed(served) == everything(served.core.state)


def test_ids_on_their_way_and_in_the_same_frame_take_room_too() -> None:
    served = Served(limits={"dedupe_ids_max": 3}).serve()
    served.submit("a:1", Deposit(amount=1))
    served.step()
    tickets = [served.submit("a:1", Deposit(amount=1)) for _ in range(4)]
    served.settle()
    assert [code(served.outcome(ticket)) for ticket in tickets] == [
        "accepted",
        "accepted",
        "unavailable",
        "unavailable",
    ]
    assert len(served.core.state.requests) == 3


def test_the_window_is_rebuilt_by_replay_as_it_was(served: Served) -> None:
    """Rule D1: windows are functions of valid frames only."""
    for n in range(60):
        served.send(f"a:{n % 7}", Deposit(amount=1), command_id=id_of(served.world.clock.us + (n % 9 - 4) * SECOND, n))
        served.send(f"a:{n % 7}", Withdraw(amount=10**6), command_id=f"plain-{n}")
        served.world.wait(2_300)
        if n % 10 == 0:
            assert replayed(served) == everything(served.core.state)
    assert len(served.core.state.requests) < 120
    assert replayed(served) == everything(served.core.state)


def test_frame_time_never_goes_back_with_the_clock(served: Served) -> None:
    """Rule D1: frame time = max(previous, now)."""
    served.world.wait(5_000)
    served.send("a:1", Deposit(amount=1))
    served.world.clock.us = TIME
    served.send("a:1", Deposit(amount=1))
    assert [frame.time for frame in served.frames()] == [TIME + 5 * SECOND] * 2


def test_what_only_speaks_of_the_attempt_leaves_no_mark_on_the_id(served: Served) -> None:
    """Rule D6: only a recorded outcome speaks of the id."""
    assert code(served.send("a:1", Deposit(amount=0), command_id="c")) == "invalid_command"
    assert code(served.send("a:1", Deposit(amount=1), command_id="c")) == "accepted"


class UnreadableOnce(FaultyJournal):
    """A journal whose reads of old records fail while it is said so."""

    is_broken = False

    def read(self, shard: int, start: int):  # type: ignore[no-untyped-def]
        if self.is_broken:
            raise Truncated(shard, start, start + 1)
        return super().read(shard, start)


def test_a_first_outcome_that_cannot_be_read_again_costs_its_repeat_an_answer_and_nobody_else() -> None:
    journal = UnreadableOnce(1)
    served = Served(journal).serve()
    first = served.send("a:1", Deposit(amount=1), command_id="c")
    repeat = served.submit("a:1", Deposit(amount=1), command_id="c")
    other = served.submit("a:1", Deposit(amount=2))
    journal.is_broken = True
    served.settle()
    unknown = served.outcome(repeat)
    assert isinstance(unknown, CommandUnavailable)
    assert unknown.code == "outcome_unknown"
    assert code(served.outcome(other)) == "accepted"
    journal.is_broken = False
    assert served.send("a:1", Deposit(amount=1), command_id="c") == first


def test_a_request_that_pretends_to_have_an_origin_is_refused(served: Served) -> None:
    """Rule D3: records with an origin are accepted from the relay's principal only."""
    pretended = record("a:1", Deposit(amount=1), command_id="c", origin=origin((9, 9, 9), None))
    served.shard.submit(Request(pretended, "http", served.sink, "x"))
    served.settle()
    outcome = served.sink.outcomes["x"]
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "invalid_command"
    assert served.core.state.received == {}


def test_answers_of_a_frame_reach_a_sink_in_one_delivery() -> None:
    served = Served(world=HandWorld()).serve()
    before = served.sink.deliveries
    for n in range(150):
        served.submit(f"a:{n}", Deposit(amount=1))
    served.settle()
    assert served.sink.deliveries == before + 1
