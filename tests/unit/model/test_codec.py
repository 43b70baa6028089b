"""JSON: equal values give equal bytes, and values about persons go sealed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from shardlog import DomainError, Event, Personal, State
from shardlog.codec.json import decoder, encode, encode_state
from shardlog.codec.personal import personal_sealed


class Address(msgspec.Struct, frozen=True):
    street: str
    since: datetime


class Moved(Event):
    to: Personal[Address]
    contacts: tuple[Personal[str], ...] = ()


class Basket(State):
    items: Mapping[str, int] = {}
    tags: frozenset[str] = frozenset()


ADDRESS = Address("Unter den Linden 1", datetime(2020, 1, 1, tzinfo=UTC))


def test_equal_values_give_equal_bytes_whatever_the_hash_seed() -> None:
    program = (
        "from shardlog.codec.json import encode\nprint(encode([frozenset('abcdefgh'), {c: 1 for c in 'zyx'}]).decode())"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(written) == 1


def test_a_state_keeps_the_order_in_which_its_mappings_were_filled() -> None:
    state = Basket(items={"pen": 1, "ink": 2})
    assert list(decoder(Basket).decode(encode_state(state)).items) == ["pen", "ink"]
    assert list(decoder(Basket).decode(encode(state)).items) == ["ink", "pen"]


def test_a_personal_value_of_any_type_comes_back() -> None:
    moved = Moved(to=Personal(ADDRESS), contacts=(Personal("ada@example.org"), Personal(None)))
    back = decoder(Moved).decode(encode(moved))
    assert back == moved
    assert back.to.reveal() == ADDRESS
    assert back.contacts[1].erased


def test_a_client_may_send_the_bare_value() -> None:
    back = decoder(Moved).decode(b'{"to":{"street":"x","since":"2020-01-01T00:00:00Z"},"contacts":["y"]}')
    assert back.contacts[0].reveal() == "y"


def test_a_personal_value_is_checked_like_any_other() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `str`, got `int`"):
        decoder(Moved).decode(b'{"to":{"$erased":true},"contacts":[5]}')


def test_a_sealed_value_can_be_passed_on_and_not_be_looked_into() -> None:
    email = Personal("ada@example.org")
    with personal_sealed():
        assert Moved(to=Personal(ADDRESS), contacts=(email,)).contacts[0] is email
        assert encode(email)
        for look in (email.reveal, lambda: email.reveal_or(""), lambda: email.erased):
            with pytest.raises(DomainError, match="reveal it in a projection"):
                look()
    assert email.reveal() == "ada@example.org"


def test_sealing_one_thread_leaves_the_others_their_sight() -> None:
    seen: list[str | None] = []
    with personal_sealed():
        reader = threading.Thread(target=lambda: seen.append(Personal("ada").reveal()))
        reader.start()
        reader.join(timeout=60)
    assert seen == ["ada"]
