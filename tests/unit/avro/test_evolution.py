"""A change of a message that readers cannot follow is refused, field by field, with what to do instead."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec
import pytest

from shardlog import AwareDatetime, Command, Event
from shardlog.avro.evolution import SchemaChange, StoredSchemas, changes
from shardlog.avro.messages import MessageAvro
from shardlog.avro.names import MessageName
from shardlog.model.messages import Message


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, frozen=True):
    x: int


class WiderInner(msgspec.Struct, frozen=True):
    x: int
    y: int


class Lit(Event):
    watts: int
    note: str = ""
    color: Color = Color.RED
    inner: tuple[Inner, ...] = ()


def event(fields: dict[str, Any], name: str = "lit", version: int = 1, **defaults: Any) -> type[Event]:
    """An event class with these fields."""
    body = {"__annotations__": fields, "__module__": __name__, **defaults}
    return type(Event)("Lit", (Event,), body, name=name, version=version)


def avro(*messages: type[Message]) -> dict[MessageName, MessageAvro[Any]]:
    found = [MessageAvro("lamp", message) for message in messages]
    return {message.name: message for message in found}


def stored(*messages: type[Message], earlier: Iterable[type[Message]] = ()) -> StoredSchemas:
    """The folder after exports of `earlier`, then of these."""
    now = avro(*messages).values()
    ids = {message.id: message.text for cls in (*earlier, *messages) for message in avro(cls).values()}
    return StoredSchemas({message.name.path: message.text for message in now}, ids)


def change(new: type[Message], before: StoredSchemas, old: frozenset[MessageName] = frozenset()) -> SchemaChange:
    """What became of the one message that there is."""
    (found,) = changes(avro(new), old, before)
    return found


SAME: dict[str, Any] = {"watts": int, "note": str, "color": Color, "inner": tuple[Inner, ...]}
DEFAULTS: dict[str, Any] = {"note": "", "color": Color.RED, "inner": ()}


class Stronger(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


Stronger.__name__ = "Color"
WiderInner.__name__ = "Inner"

MEANING = ": the same bytes would mean something else"

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a field without a default": (
        {**SAME, "volts": int},
        DEFAULTS,
        ["field volts is new and has no default: values from before do not have it"],
    ),
    "a field that had no default is gone": (
        {k: v for k, v in SAME.items() if k != "watts"},
        DEFAULTS,
        ["field watts is gone and had no default: readers that know it still expect it"],
    ),
    "a field that was renamed": (
        {"power": int, **{k: v for k, v in SAME.items() if k != "watts"}},
        DEFAULTS,
        [
            "field power is new and has no default: values from before do not have it; was watts renamed?",
            "field watts is gone and had no default: readers that know it still expect it",
        ],
    ),
    "another type": (
        {**SAME, "watts": str},
        DEFAULTS,
        [
            "field watts: old values are long, read as string, which new readers cannot",
            "field watts: new values are string, read as long, which old readers cannot",
        ],
    ),
    "a wider type": (
        {**SAME, "watts": int | None},
        DEFAULTS,
        ["field watts: new values are null, read as long, which old readers cannot"],
    ),
    "the same bytes as a time": (
        {**SAME, "watts": AwareDatetime},
        DEFAULTS,
        [
            f"field watts: old values are long, read as long (timestamp-micros){MEANING}",
            f"field watts: new values are long (timestamp-micros), read as long{MEANING}",
        ],
    ),
    "one more value": (
        {**SAME, "color": Stronger},
        {**DEFAULTS, "color": Stronger.RED},
        ["field color: old readers do not know 'green', which new values have"],
    ),
    "a field within": (
        {**SAME, "inner": tuple[WiderInner, ...]},
        DEFAULTS,
        ["field inner[].y is new and has no default: values from before do not have it"],
    ),
}


@pytest.mark.parametrize(("fields", "defaults", "reasons"), REFUSED.values(), ids=REFUSED)
def test_a_change_is_refused(fields: dict[str, Any], defaults: dict[str, Any], reasons: list[str]) -> None:
    found = change(event(fields, **defaults), stored(Lit))
    assert (found.status, list(found.reasons)) == ("refused", reasons)
    assert "`class Lit(..., version=2)`" in found.remedy
    assert "@aggregate.upcasts" in found.remedy


def test_the_same_class_is_no_change() -> None:
    assert change(Lit, stored(Lit)).status == "same"


def test_a_new_field_with_a_default_is_let_through_and_to_be_exported() -> None:
    assert change(event({**SAME, "volts": int}, **DEFAULTS, volts=230), stored(Lit)).status == "changed"


def test_a_field_with_a_default_may_go() -> None:
    fewer = {k: v for k, v in SAME.items() if k != "note"}
    assert change(event(fewer, color=Color.RED, inner=()), stored(Lit)).status == "changed"


def test_a_field_that_comes_back_as_something_else_is_refused_though_the_newest_schema_lacks_it() -> None:
    first, second = event({"a": int, "b": int}, b=1), event({"a": int})
    third = event({"a": int, "b": str}, b="")
    assert change(third, stored(second)).status == "changed"
    assert change(third, stored(second, earlier=[first])).reasons == (
        "field b: old values are long, read as string, which new readers cannot",
        "field b: new values are string, read as long, which old readers cannot",
    )


def test_an_old_version_may_not_change_at_all() -> None:
    widened = event({**SAME, "volts": int}, **DEFAULTS, volts=230)
    found = change(widened, stored(Lit), old=frozenset(avro(Lit)))
    assert (found.status, found.reasons) == (
        "refused",
        ("it is an old version: what journals and topics hold of it was written as it was",),
    )
    assert found.remedy.startswith("Give the class back the fields of lamp/events/Lit.v1.avsc")


def test_a_version_that_is_gone_is_refused_where_a_newer_one_took_its_place() -> None:
    newer = event({"power": int}, version=2)
    by_path = {found.path: found for found in changes(avro(newer), frozenset(), stored(Lit))}
    assert by_path["lamp/events/Lit.v2.avsc"].status == "new"
    gone = by_path["lamp/events/Lit.v1.avsc"]
    assert (gone.status, gone.reasons) == ("refused", ("no class has this name and version any more",))
    assert "register an upcaster" in gone.remedy


def test_a_class_that_was_renamed_is_told_to_keep_its_name_on_the_wire() -> None:
    renamed = event({"watts": int}, name="switched_on")
    before = stored(event({"watts": int}))
    gone = next(found for found in changes(avro(renamed), frozenset(), before) if found.status == "refused")
    assert "event lamp/switched_on/1 is new and has the same fields" in gone.reasons[1]
    assert gone.remedy.startswith('To rename the class alone, write `name="lit"` into it.')


def test_a_command_is_told_to_live_beside_its_successor() -> None:
    class Light(Command):
        watts: int

    class Brighter(Command, name="light"):
        watts: int
        volts: int

    found = change(Brighter, stored(Light))
    assert found.status == "refused"
    assert "make a new command beside this one" in found.remedy


def test_an_id_that_another_schema_has_is_refused() -> None:
    message = MessageAvro("lamp", Lit)
    other = MessageAvro("lamp", event({"x": int}))
    found = change(Lit, StoredSchemas({}, {message.id: other.text}))
    assert (found.status, found.reasons) == (
        "refused",
        (f"its id {message.id} is that of another schema, lamp.events.LitV1",),
    )
