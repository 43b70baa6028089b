"""The schemas of the reference application that are checked in are those that its classes give."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.banking import banking
from domain.flights import flights
from shardlog import Application, DomainError, Event, Personal
from shardlog.adapters.filesystem.schemas import read_schemas
from shardlog.avro.evolution import changes, old_events
from shardlog.avro.messages import MessageAvro, application_messages
from tests.unit.avro.carts import cart

FOLDER = Path(__file__).parents[3] / "schemas" / "avro"


def test_they_are_what_the_classes_give_and_there_are_no_others() -> None:
    application = Application([banking, flights])
    messages = application_messages(application)
    stored = read_schemas(FOLDER)
    assert stored.by_path == {message.name.path: message.text for message in messages.values()}
    assert stored.by_id == {message.id: message.text for message in messages.values()}
    assert {change.status for change in changes(messages, old_events(application), stored)} == {"same"}


def test_names_come_from_category_name_and_version() -> None:
    class SomethingElse(Event, name="item_added", version=3): ...

    message = MessageAvro(cart.category, SomethingElse)
    assert (message.name.fullname, message.name.path) == (
        "cart.events.ItemAddedV3",
        "cart/events/ItemAdded.v3.avsc",
    )
    assert "SomethingElse" not in message.text
    assert __name__ not in message.text


class Anonymous(Event):
    somebody: Personal  # type: ignore[type-arg]


class Raw(Event):
    view: memoryview


class Foreign(Event):
    größe: int


class Numbered(Event, name="1st"): ...


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Anonymous, r"write Personal\[str\]"),
        (Raw, "has no form in Avro: it is MemoryView"),
        (Foreign, "'größe' is no name in Avro"),
        (Numbered, "'1stV1' is no name in Avro"),
    ],
)
def test_what_has_no_form_in_avro_is_refused_by_name(message: type[Event], said: str) -> None:
    with pytest.raises(DomainError, match=said):
        MessageAvro("zoo", message)
