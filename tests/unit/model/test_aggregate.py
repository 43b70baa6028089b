"""What the engine and the kit read from an aggregate, and what it refuses."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import pytest

from shardlog import Aggregate, Command, Context, DomainError, Event, InvalidId, State, StreamId, Transaction
from shardlog.codec.json import decoder, encode
from shardlog.model.upcasting import upcast


class Light(State):
    on: bool = False


class LightCommand(Command): ...


class LightEvent(Event): ...


class Switch(LightCommand): ...


class Dim(LightCommand):
    percent: int


class SwitchAll(LightCommand): ...


class Point(Command):
    at: StreamId


class Switched(LightEvent, version=3): ...


class Dimmed(LightEvent):
    percent: int


class SwitchedV1(Event, name="switched"): ...


class SwitchedV2(Event, name="switched", version=2): ...


class Flickered(Event): ...


class Codes(StrEnum):
    BROKEN = "broken"


light = Aggregate("light", initial=Light(), commands=LightCommand, events=LightEvent, routing_parts=2, rejects=Codes)


@light.decides
def switch(state: Light, command: Switch) -> Switched | None:
    return None if state.on else Switched()


@light.decides
def dim(state: Light, command: Dim, context: Context) -> tuple[Switched, Dimmed] | Dimmed:
    return Dimmed(percent=command.percent)


@light.transaction
def switch_all(tx: Transaction[Light, LightEvent], command: SwitchAll) -> None:
    tx.own.append(Switched())


@light.evolves
def switched(state: Light, event: Switched) -> Light:
    return Light(on=not state.on)


light.ignores(Dimmed)


@light.upcasts
def v1(old: SwitchedV1) -> SwitchedV2:
    return SwitchedV2()


@light.upcasts
def v2(old: SwitchedV2) -> tuple[Switched, Dimmed]:
    return Switched(), Dimmed(percent=100)


@light.upcasts
def flickered(old: Flickered) -> None:
    return None


def test_decisions_say_what_they_take_and_may_return() -> None:
    assert set(light.decisions) == {Switch, Dim}
    assert light.decisions[Switch].returns == {Switched, None}
    assert not light.decisions[Switch].wants_context
    assert light.decisions[Dim].wants_context
    assert light.decisions[Dim].function is dim
    assert light.transactions == {SwitchAll: switch_all}
    assert light.commands_by_name == {"switch": Switch, "dim": Dim, "switch_all": SwitchAll}


def test_events_are_found_by_name_and_version() -> None:
    assert light.events_by_name[("switched", 1)] is SwitchedV1
    assert light.events_by_name[("switched", 3)] is Switched
    assert set(light.evolutions) == {Switched, Dimmed}
    assert set(light.upcasters) == {SwitchedV1, SwitchedV2, Flickered}


def test_what_is_registered_can_be_read_and_not_be_changed() -> None:
    decisions: Any = light.decisions
    with pytest.raises(TypeError, match="does not support item"):
        decisions[Switch] = None


def test_nothing_is_missing() -> None:
    assert light.problems() == []


def test_an_old_event_is_dropped_changed_and_split_through_a_chain() -> None:
    assert upcast(light, Flickered()) == ()
    assert upcast(light, SwitchedV1()) == (Switched(), Dimmed(percent=100))
    assert upcast(light, Switched()) == (Switched(),)


def test_the_first_parts_of_an_id_choose_the_shard() -> None:
    assert light.routing_key("berlin:mitte:7") == "berlin:mitte"
    assert light.stream("berlin:mitte:7").routing_key == "berlin:mitte"
    assert str(light.stream("berlin:mitte:7")) == "light/berlin:mitte:7"


@pytest.mark.parametrize("id", ["", "a", "a:", "a/b", "a:b c", "a:..", "a:b\n", "a" * 201])
def test_what_is_no_id_is_refused(id: str) -> None:
    with pytest.raises(InvalidId):
        light.stream(id)


@pytest.mark.parametrize("id", ["a:..", "a b", "a:b\n"])
def test_a_field_that_names_a_stream_takes_ids_only(id: str) -> None:
    assert decoder(Point).decode(b'{"at":"a:b"}') == Point(at="a:b")
    with pytest.raises(msgspec.ValidationError, match="Expected `str` matching regex"):
        decoder(Point).decode(encode({"at": id}))


def test_only_a_command_that_it_handles_can_be_sent_to_it() -> None:
    class Swich(LightCommand): ...

    assert light.send("a:b", Switch()).command == Switch()
    with pytest.raises(DomainError, match="no handler for Swich, so nobody can send it there; did you mean 'Switch'"):
        light.send("a:b", Swich())


def test_an_event_has_one_evolve_and_one_upcaster() -> None:
    with pytest.raises(DomainError, match="Dimmed has two evolves"):
        light.ignores(Dimmed)


@pytest.mark.parametrize(
    ("category", "routing_parts", "message"),
    [
        ("Light", None, "a category is snake case, like 'light'"),
        ("street-light", None, "a category is snake case, like 'street_light'"),
        ("light", 0, "routing_parts=0, and must be an int, 1 or more"),
    ],
)
def test_a_category_and_its_routing_are_checked(category: str, routing_parts: int | None, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Aggregate(category, initial=Light(), routing_parts=routing_parts)
