"""Bytes that were written years ago, in Avro and in JSON: read with the schema of then, upcast by the code of today.

`stored/` is never written again: it holds the folder of schemas as it grew, and values as they were published.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shardlog.adapters.filesystem.schemas import FolderRegistry, read_schemas
from shardlog.avro.evolution import changes, old_events
from shardlog.avro.messages import application_messages
from shardlog.avro.wire import AvroWire
from shardlog.codec.json import decoder
from shardlog.model.upcasting import upcast
from tests.unit.avro.carts import ItemAdded, ItemAddedV1, Priced, application, cart

STORED = Path(__file__).parent / "stored"
VALUES: list[dict[str, Any]] = [json.loads(line) for line in (STORED / "values.jsonl").read_text().splitlines()]
LAMP = (ItemAdded(sku="lamp"), Priced(sku="lamp", cents=1250))


@pytest.fixture
def wire() -> AvroWire:
    return AvroWire(application, FolderRegistry(STORED / "schemas"))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value["what"])
def test_stored_avro_is_read_and_upcast(value: dict[str, Any], wire: AvroWire) -> None:
    assert wire.decode_event_upcast(bytes.fromhex(value["avro"])) == LAMP


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value["what"])
def test_stored_json_is_read_and_upcast(value: dict[str, Any]) -> None:
    event = decoder(ItemAddedV1).decode(value["json"].encode())
    assert upcast(cart, event) == LAMP


def test_what_a_field_says_that_came_later_is_read_where_it_was_written(wire: AvroWire) -> None:
    events = [wire.decode_event(bytes.fromhex(value["avro"])).event for value in VALUES]
    assert [event.note for event in events if isinstance(event, ItemAddedV1)] == [None, "a gift"]


def test_the_code_of_today_still_has_the_schemas_of_then() -> None:
    found = changes(application_messages(application), old_events(application), read_schemas(STORED / "schemas"))
    assert {change.path: change.status for change in found} == {
        "cart/commands/Add.v1.avsc": "new",
        "cart/events/ItemAdded.v1.avsc": "same",
        "cart/events/ItemAdded.v2.avsc": "new",
        "cart/events/Priced.v1.avsc": "new",
    }
