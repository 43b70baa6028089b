"""Codes: a domain's must be usable and tell who refused; the engine's own pass."""

from __future__ import annotations

import pytest

from shardlog import (
    Aggregate,
    Command,
    Domain,
    DomainError,
    Event,
    ProcessManager,
    Recorded,
    Sends,
    State,
    StreamId,
    Transaction,
    reject,
)
from shardlog.errors import CODE_CHARACTERS_MAX, ENGINE_CODES, EngineRejection, InvalidId, Rejection, check_code
from shardlog.testing.kit import Scenario, given


class Door(State): ...


class Knock(Command):
    code: str


class Visit(Command):
    at: str


class Go(Command):
    to: StreamId


class Knocked(Event): ...


door = Aggregate("door", initial=Door(), routing_parts=1)
door.ignores(Knocked)


@door.decides
def knock(state: Door, command: Knock) -> Knocked:
    reject(command.code, "as told")


@door.decides
def visit(state: Door, command: Visit) -> Knocked:
    door.stream(command.at)
    return Knocked()


@door.transaction
def go(tx: Transaction[Door, Event], command: Go) -> None:
    tx.load(door.stream(command.to))


@pytest.mark.parametrize("code", ["a", "not_open", "x2", "a" * CODE_CHARACTERS_MAX])
def test_a_code_in_snake_case_can_be_used(code: str) -> None:
    assert check_code(code) is None
    given(door).when(Knock(code=code)).then_rejected(code, "as told")


@pytest.mark.parametrize(
    "code", ["", "A", "Not_open", "not-open", "not open", "2x", "_x", "é", "a\n", "a" * (CODE_CHARACTERS_MAX + 1)]
)
def test_any_other_code_fails_the_test_that_meets_it(code: str) -> None:
    with pytest.raises(DomainError, match=r"Knock was rejected with the code .*: a code is snake case, .* 1 to 64"):
        given(door).when(Knock(code=code))


@pytest.mark.parametrize("code", sorted(ENGINE_CODES))
def test_a_code_of_the_engine_fails_the_test_that_meets_it(code: str) -> None:
    with pytest.raises(DomainError, match=f"Knock was rejected with the code '{code}': the engine itself rejects"):
        given(door).when(Knock(code=code))


def test_what_the_engine_itself_refuses_is_no_fault_of_the_domain() -> None:
    given(door).when(Visit(at="a/b")).then_rejected("invalid_id", "write 'a:b'")
    given(door).when(Go(to="other")).then_rejected("other_routing_key")
    given(door).when(Visit(at="a"), expected_version=7).then_rejected("wrong_version")
    given(door).when(Go(to="a b")).then_rejected("invalid_command", "$.to`: 'a b'")
    given(door).when(Go(to="a b")).then_rejected(
        "invalid_command",
        "Expected `str` that is a stream's id, up to 200 of A-Z a-z 0-9 _ . ~ - in parts joined by ':'",
    )


def test_what_the_engine_refuses_waits_for_an_operator_when_a_process_manager_sent_it() -> None:
    keen = ProcessManager("keen")

    @keen.on
    def again(event: Knocked, recorded: Recorded) -> Sends:
        return door.send(recorded.id, Visit(at="a/b"))

    with pytest.raises(AssertionError, match=r"was refused by the engine .*no handler hears that"):
        Scenario(Domain("doors", aggregates=[door], process_managers=[keen])).when(door.stream("a"), Visit(at="a"))


def test_an_engine_rejection_is_a_rejection_and_a_bad_id_is_one_of_them() -> None:
    assert issubclass(InvalidId, EngineRejection)
    assert issubclass(EngineRejection, Rejection)
    with pytest.raises(InvalidId, match="5 is no id for 'door': an id is a str"):
        door.stream(5)  # type: ignore[arg-type]  # that is the point
