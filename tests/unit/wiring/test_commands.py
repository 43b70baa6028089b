"""Options beside a command: what Python would take and no frame can hold is refused where it is written."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.banking.account import account
from domain.banking.messages import Deposit
from shardlog.client.commands import command_record

NOW = 1_800_000_000_000_000
STREAM = account.stream("acme:1")


@pytest.mark.parametrize(
    ("option", "wrong", "said"),
    [
        ("actor", 5, "actor=5 is of type int, and must be str"),
        ("actor", None, "actor=None is None, and must be str"),
        ("command_id", 7, "command_id=7 is of type int, and must be str or UUID"),
        ("expected_version", "1", "expected_version='1' is of type str, and must be int"),
        ("expected_version", True, "expected_version=True is of type bool, and must be int"),
        ("expected_version", 1.5, "expected_version=1.5 is of type float, and must be int"),
        ("occurred_at", "yesterday", "occurred_at='yesterday' is of type str, and must be datetime"),
        ("actr", "ann", "there is no option 'actr'; did you mean 'actor'?"),
    ],
)
def test_an_option_of_a_wrong_type_names_itself_its_value_and_what_it_must_be(
    option: str, wrong: Any, said: str
) -> None:
    options: Any = {option: wrong}
    with pytest.raises(TypeError) as found:
        command_record(STREAM, Deposit(amount=1), NOW, options)
    assert said in str(found.value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        command_record(STREAM, Deposit(amount=1), NOW, {"occurred_at": datetime(2026, 1, 1)})


def test_what_is_no_stream_or_no_command_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a Stream"):
        command_record("account/acme:1", Deposit(amount=1), NOW, {})  # type: ignore[arg-type]  # a caller's mistake
    with pytest.raises(TypeError, match="must be a Command"):
        command_record(STREAM, {"amount": 1}, NOW, {})  # type: ignore[arg-type]  # a caller's mistake


def test_a_uuid_is_a_command_id_and_a_time_is_counted_in_microseconds() -> None:
    id = uuid.uuid4()
    record = command_record(
        STREAM, Deposit(amount=1), NOW, {"command_id": id, "occurred_at": datetime(1970, 1, 1, 0, 0, 1, 5, UTC)}
    )
    assert (record.command_id, record.occurred_at) == (str(id), 1_000_005)


def test_an_empty_command_id_stays_empty_and_is_not_replaced_by_a_fresh_one() -> None:
    assert command_record(STREAM, Deposit(amount=1), NOW, {"command_id": ""}).command_id == ""
