"""What the kit lets a handler know, and what it does not."""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shardlog import Context, DomainError
from shardlog.testing.kit.purity import Kind, purely

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_context() -> Context:
    return Context(id="a", version=0, time=NOON, occurred_at=NOON, command_id="c", seed=b"1")


def test_what_the_context_gives_may_be_used() -> None:
    def draws(context: Context) -> tuple[str, int, datetime]:
        return context.new_id(), context.random().randint(1, 6), context.time

    assert purely(Kind.DECIDE, draws, a_context()) == draws(a_context())


def test_a_seeded_generator_of_ones_own_may_be_used() -> None:
    def shuffles(seed: int) -> list[int]:
        cards = list(range(9))
        random.Random(seed).shuffle(cards)
        return cards

    assert purely(Kind.DECIDE, shuffles, 5) == shuffles(5)


def test_times_may_be_reckoned_with() -> None:
    def parses(text: str) -> int:
        return datetime.fromisoformat(text).astimezone(UTC).hour

    assert purely(Kind.EVOLVE, parses, "2026-01-01T12:00:00+02:00") == 10


@pytest.mark.parametrize(
    ("asks", "named"),
    [
        (lambda: random.Random().random(), "random"),
        (lambda: random.choice([1, 2]), "random.choice"),
        (lambda: secrets.token_hex(4), "secrets.token_hex"),
        (lambda: logging.getLogger("x").warning("x"), "logging"),
        (lambda: datetime.now(UTC), "datetime.now"),
        (lambda: NOON.today(), "datetime.today"),
    ],
)
def test_what_replay_cannot_give_again_is_named_with_its_line(asks: Callable[[], object], named: str) -> None:
    with pytest.raises(
        DomainError, match=rf"calls {named}\S* \(test_purity.py:\d+\): .*Replay must give the same answer"
    ):
        purely(Kind.DECIDE, asks)


def test_what_to_write_instead_depends_on_what_the_handler_may_know() -> None:
    def asks() -> datetime:
        return datetime.now(UTC)

    said = {}
    for kind in Kind:
        with pytest.raises(DomainError) as raised:
            purely(kind, asks)
        said[kind] = str(raised.value).partition("): ")[2]
    assert said == {
        Kind.DECIDE: "use context.time, or take it from the command. Replay must give the same answer.",
        Kind.EVOLVE: "put it into the event when it is decided, and take it from there. "
        "Replay must give the same answer.",
        Kind.PROCESS: "use recorded.time, or take it from the event. Replay must give the same answer.",
        Kind.PROJECTION: "use recorded.time, or take it from the event. A rebuild must give the same rows.",
    }


def test_what_a_handler_raises_comes_through() -> None:
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        purely(Kind.DECIDE, fails)
