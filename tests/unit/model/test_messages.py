"""Messages: frozen, keyword-only structs whose names on the wire do not depend on where they are imported from."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shardlog import Command, DomainError, Event, State
from shardlog.codec.json import decoder, encode


class HTTPRequestSeen(Event):
    path: str = ""


class Renamed(Event, name="old_name", version=3):
    amount: int = 0


class Family(Command): ...


class Member(Family):
    amount: int


class Account(State):
    balance: int = 0


def test_a_wire_name_is_the_class_name_in_snake_case() -> None:
    assert (HTTPRequestSeen.__wire_name__, HTTPRequestSeen.__schema_version__) == ("http_request_seen", 1)


def test_a_wire_name_and_version_can_be_said_and_are_not_inherited() -> None:
    assert (Renamed.__wire_name__, Renamed.__schema_version__) == ("old_name", 3)

    class Heir(Renamed): ...

    assert (Heir.__wire_name__, Heir.__schema_version__) == ("heir", 1)


def test_messages_are_keyword_only_in_every_generation() -> None:
    positional: Any = Member
    with pytest.raises(TypeError, match="positional"):
        positional(5)


def test_messages_are_frozen_and_left_out_of_cyclic_collection() -> None:
    assert Member.__struct_config__.frozen
    assert not Member.__struct_config__.gc
    with pytest.raises(AttributeError, match="immutable"):
        Account().balance = 5  # type: ignore[misc]  # that is the point


def test_a_command_refuses_a_field_that_it_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `amonut`"):
        decoder(Member).decode(b'{"amount":1,"amonut":2}')


def test_an_event_passes_over_a_field_that_it_does_not_know() -> None:
    assert decoder(Renamed).decode(b'{"amount":1,"note":"x"}') == Renamed(amount=1)


def test_a_version_below_one_is_refused() -> None:
    with pytest.raises(DomainError, match="version=0, and must be 1 or more"):

        class Bad(Event, version=0): ...


def test_a_message_comes_back_as_it_went() -> None:
    assert decoder(Member).decode(encode(Member(amount=3))) == Member(amount=3)
