"""A stream's history: upcast, evolved event by event, and named where it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shardlog import Aggregate, Command, Event, State, replace
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import InvalidToken, ReplayFailed, UnknownFormat
from shardlog.inspection.history import History, Step, is_behind, parse_at
from shardlog.journal.envelope import frame_prefix, frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import encode_frame
from tests.unit.journal.driven_shard import JOURNAL, SHARDS, claim, nonce, reader_at


class Jar(State):
    coins: int = 0


class Drop(Command):
    coins: int


class DroppedV1(Event, name="dropped"):
    value: int


class Dropped(Event, version=2):
    coins: int


class Shaken(Event): ...


jar = Aggregate("jar", initial=Jar())


@jar.decides
def drop(state: Jar, command: Drop) -> Dropped:
    return Dropped(coins=command.coins)


@jar.evolves
def dropped(state: Jar, event: Dropped) -> Jar:
    if event.coins < 0:
        raise ArithmeticError("nobody drops less than nothing")
    return replace(state, coins=state.coins + event.coins)


@jar.upcasts
def dropped_v1(old: DroppedV1) -> tuple[Dropped, Dropped]:
    return Dropped(coins=old.value), Dropped(coins=1)


def entry(*events: str, occurred_at: str = "null") -> bytes:
    """An accepted entry with these events."""
    head = '["a","jar","one","drop","c1","","ada","local","","","",%s,0,null,"",[%s],[]]'
    return (head % (occurred_at, ",".join(events))).encode()


def event(version: int, data: str, type: str = "jar/dropped/2", id: str = "one") -> str:
    return f'["{type}","{id}",{version},{data}]'


def history(*frames: Sequence[bytes]) -> tuple[History, MemoryJournal]:
    """The history of jar `one` over these frames, frame n at n seconds."""
    journal = MemoryJournal(SHARDS)
    writer = journal.writer(0)
    values = [claim(1, 1)]
    for number, entries in enumerate(frames, 1):
        state = reader_at(*values).state
        body = encode_frame(number * 1_000_000, {}, list(entries))
        values.append(frame_value(frame_prefix(JOURNAL, 0, SHARDS, 1, nonce(1)), number, state.head, body))
    for value in values:
        writer.append(value, lambda _report: None)
    return History(jar.stream("one"), Reader(JOURNAL, 0, SHARDS)), journal


def steps(*frames: Sequence[bytes]) -> list[Step]:
    found, journal = history(*frames)
    return list(found.read(journal))


def test_each_event_leads_from_the_state_before_it() -> None:
    found = steps([entry(event(1, '{"coins":2}'), event(2, '{"coins":3}'))], [entry(event(3, '{"coins":4}'))])
    assert [(step.version, step.state, step.position.offset, step.position.index) for step in found] == [
        (1, Jar(coins=2), 1, 0),
        (2, Jar(coins=5), 1, 1),
        (3, Jar(coins=9), 2, 0),
    ]
    assert (found[0].actor, found[0].command, found[0].command_id) == ("ada", "drop", "c1")


def test_other_streams_and_other_categories_are_passed_over() -> None:
    others = entry(event(1, '{"coins":9}', id="two"), event(1, "{}", type="lamp/switched/1"))
    assert [step.position.index for step in steps([others, entry(event(1, '{"coins":2}'))])] == [2]


def test_an_old_event_is_upcast_and_shown_as_it_was_written() -> None:
    (step,) = steps([entry(event(1, '{"value":2}', type="jar/dropped/1"))])
    assert (step.state, bytes(step.data), step.type) == (Jar(coins=3), b'{"value":2}', "jar/dropped/1")


def test_when_it_happened_is_the_frame_s_time_where_the_command_did_not_say() -> None:
    one, two = steps([entry(event(1, '{"coins":1}')), entry(event(2, '{"coins":1}'), occurred_at="500000")])
    assert (one.occurred_at, two.occurred_at.microsecond) == (one.time, 500_000)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (event(2, '{"coins":1}'), ReplayFailed, "jar/one version 2 cannot be replayed: .*stands at version 0"),
        (event(1, '{"coins":-1}'), ReplayFailed, "ArithmeticError: nobody drops less than nothing"),
        (event(1, "{}", type="jar/droped/1"), UnknownFormat, "no class for it; did you mean 'dropped'"),
        (event(1, '{"coins":"x"}'), UnknownFormat, "does not decode as Dropped"),
    ],
)
def test_what_cannot_be_replayed_is_named(wrong: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        steps([entry(wrong)])


def test_reading_goes_on_from_where_it_was() -> None:
    found, journal = history([entry(event(1, '{"coins":2}'))])
    assert len(list(found.read(journal))) == 1
    assert (list(found.read(journal)), found.position, found.version) == ([], 2, 1)


@pytest.mark.parametrize("at", ["2", "1970-01-01T00:00:01Z", "1970-01-01T01:00:01.5+01:00", f"{JOURNAL}.0.1.1"])
def test_a_look_ends_behind_a_version_a_time_or_a_position(at: str) -> None:
    found = steps([entry(event(1, '{"coins":2}'), event(2, '{"coins":3}'))], [entry(event(3, '{"coins":4}'))])
    assert [step.version for step in found if not is_behind(step, parse_at(at))] == [1, 2]


@pytest.mark.parametrize(
    ("text", "error"), [("yesterday", ValueError), ("2026-01-01T00:00:00", ValueError), ("a.b.c.d", InvalidToken)]
)
def test_what_names_no_end_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_at(text)
