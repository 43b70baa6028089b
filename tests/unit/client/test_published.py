"""Records of topics of events, as a relay publishes them, are read as the domain's classes or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from shardlog.adapters.filesystem.schemas import FolderRegistry, write_schemas
from shardlog.avro.messages import application_messages
from shardlog.avro.wire import AvroWire
from shardlog.client.published import Published, PublishedReader
from shardlog.errors import ConfigurationError, PayloadUnreadable
from shardlog.journal.records import Accepted, FrameBody, RawEvent
from shardlog.ports.outputs import OutputRecord
from shardlog.relay.core import FramePlace
from shardlog.relay.publishing import JSON_EVENTS, EventForm, Publishing
from tests.unit.avro.carts import ItemAdded, Priced
from tests.unit.avro.carts import application as carts

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
TIME = 1_357_020_000_000_000
OCCURRED = datetime(2013, 1, 1, 5, 59, tzinfo=UTC)
OLD = RawEvent("cart/item_added/1", "c-1", 4, msgspec.Raw(b'{"sku":"tea","price":"12.50"}'))
NEW = RawEvent("cart/priced/1", "c-1", 5, msgspec.Raw(b'{"sku":"tea","cents":1250}'))


def published(*events: RawEvent, form: EventForm = JSON_EVENTS) -> list[OutputRecord]:
    """What a relay writes of one command's events."""
    occurred = int(OCCURRED.timestamp() * 1_000_000)
    head = ("cart", "c-1", "add", "command-1", "acme", "ann", "local", "corr-1", "cause-1", "", occurred)
    entry: Accepted[RawEvent] = Accepted(*head, 0, None, "", list(events), [])
    frame: FrameBody[RawEvent] = FrameBody(TIME, {}, [entry])
    found = Publishing(carts, "shop", form).outputs(FramePlace(JOURNAL, 3, 17, 1, 1), frame)
    return [record for record in found if isinstance(record, OutputRecord)]


def read(record: OutputRecord, reader: PublishedReader | None = None, **headers: bytes) -> Published:
    reader = reader or PublishedReader(carts)
    return reader.read("shop.events.cart", 3, 40, dict(record.headers) | headers, record.value)


def test_an_event_comes_with_all_that_the_journal_knows_of_it() -> None:
    (record,) = published(NEW)
    found = read(record)
    assert found.events == (Priced(sku="tea", cents=1250),)
    assert (found.type, found.topic, found.partition, found.offset) == ("cart/priced/1", "shop.events.cart", 3, 40)
    recorded = found.recorded
    assert (recorded.category, recorded.id, recorded.version) == ("cart", "c-1", 5)
    assert (recorded.command_id, recorded.actor, recorded.tenant) == ("command-1", "ann", "acme")
    assert (recorded.correlation_id, recorded.causation_id) == ("corr-1", "cause-1")
    assert recorded.occurred_at == OCCURRED
    assert recorded.time == datetime.fromtimestamp(TIME / 1e6, UTC)
    assert found.position.token == f"{JOURNAL}.3.17.0"


def test_an_event_of_an_old_version_is_todays_events() -> None:
    (record,) = published(OLD)
    assert read(record).events == (ItemAdded(sku="tea"), Priced(sku="tea", cents=1250))
    assert read(record).type == "cart/item_added/1"


def test_avro_gives_the_same_as_json(tmp_path: Path) -> None:
    write_schemas(tmp_path, application_messages(carts).values())
    wire = AvroWire(carts, FolderRegistry(tmp_path))
    form = EventForm("application/avro", lambda tag, data: wire.encode_event_json("shop.events.cart", tag, data))
    reader = PublishedReader(carts, wire)
    for event in (OLD, NEW):
        (as_json,), (as_avro,) = published(event), published(event, form=form)
        assert as_avro.value is not None
        assert as_avro.value[0] == 0
        assert read(as_avro, reader) == read(as_json)


def test_avro_without_a_wire_says_what_is_missing() -> None:
    (record,) = published(NEW)
    with pytest.raises(ConfigurationError, match="wire=AvroWire"):
        read(record, **{"content-type": b"application/avro"})


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"ce_type": b"cart/emptied/1"}, "cart/emptied/1 is unknown"),
        ({"ce_type": b"\xff"}, "headers"),
        ({"ce_id": b"seventeen"}, "headers"),
        ({"ce_version": b"four"}, "headers"),
        ({"ce_time": b"yesterday"}, "headers"),
        ({"content-type": b"text/plain"}, "text/plain"),
    ],
)
def test_what_this_code_cannot_read_is_named_with_its_place(headers: dict[str, bytes], said: str) -> None:
    (record,) = published(NEW)
    with pytest.raises(PayloadUnreadable, match=said) as refused:
        read(record, **headers)
    assert "topic shop.events.cart, partition 3, offset 40" in str(refused.value)


@pytest.mark.parametrize("value", [None, b"", b"{}", b'{"sku":1,"cents":2}', b"\xff"])
def test_a_value_that_is_not_of_its_type_is_refused(value: bytes | None) -> None:
    (record,) = published(NEW)
    with pytest.raises(PayloadUnreadable, match="cart/priced/1"):
        read(record._replace(value=value))  # type: ignore[arg-type]  # a topic may hold one without a value


def test_a_record_without_headers_is_no_event() -> None:
    with pytest.raises(PayloadUnreadable, match="Only the relay may write there"):
        PublishedReader(carts).read("shop.events.cart", 0, 0, {}, b"{}")
