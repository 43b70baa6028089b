"""Events that cannot be published as Avro stop their shard with what to do, and nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shardlog.adapters.filesystem.schemas import write_schemas
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.outputs import MemoryOutputs, MemoryTopics
from shardlog.avro.messages import application_messages
from shardlog.errors import PayloadUnwritable
from shardlog.relay.limits import PublisherLimits
from shardlog.relay.publisher import Publisher
from shardlog.relay.publishing import EventForm, Publishing
from shardlog.wiring.kafka.avro import LazyAvro
from shardlog.wiring.settings import SchemaSettings
from tests.unit.executor.ledger import Deposited, ledger
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.relay.test_publisher import Kept

SHARDS = 3
KAFKA = KafkaSettings(journal="bank")


def form(folder: Path, bytes_max: int = 1_000) -> EventForm:
    write_schemas(folder / SchemaSettings().directory, application_messages(ledger).values())
    return LazyAvro(ledger, SchemaSettings(), folder).event_form(KAFKA, bytes_max)


def test_an_event_that_the_application_does_not_have_stops_its_shard_alone(tmp_path: Path) -> None:
    journal, topics = MemoryJournal(SHARDS), MemoryTopics()
    log = LogWriter(journal, SHARDS)
    shard = log.shard_of("a:1")
    entry = log.accepted("a:1", Deposited(amount=1))
    entry.events[0] = msgspec.structs.replace(entry.events[0], type="account/gone/7")  # type: ignore[index]  # a list
    log.frame(shard, [entry])
    others = [id for id in ("b:1", "c:1", "d:1", "e:1", "f:1") if log.shard_of(id) != shard]
    log.happened(*((id, Deposited(amount=1)) for id in others))
    publishing = Publishing(ledger, "bank", form(tmp_path))
    publisher = Publisher(
        journal, JOURNAL, SHARDS, publishing, MemoryOutputs(topics), Kept(), lambda: 0.0, PublisherLimits()
    )
    publisher.step()
    error = publisher.errors[f"shard {shard}"]
    assert isinstance(error, PayloadUnwritable)
    assert "event account/gone/7 for topic bank.events.account" in str(error)
    assert "Give the relay the code that has it" in str(error)
    assert len(topics.published) == len(others) > 0


def test_an_event_that_is_longer_than_its_topic_takes_is_refused_by_name(tmp_path: Path) -> None:
    assert form(tmp_path).encode("account/deposited/1", b'{"amount":1}')
    with pytest.raises(PayloadUnwritable, match=r"account/deposited/1 for topic bank.events.account takes \d+ bytes"):
        form(tmp_path, bytes_max=3).encode("account/deposited/1", b'{"amount":1}')
