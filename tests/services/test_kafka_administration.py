"""`shardlog admin init`, and commands that look into a journal on Kafka."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from domain.banking import banking as banking_domain
from domain.flights import flights as flights_domain
from shardlog import Application, Domain
from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.journal.control import META_KEY, decode_meta, encode_meta
from shardlog.wiring.kafka import administration
from shardlog.wiring.kafka.administration import Made
from shardlog.wiring.kafka.topics import all_topics
from tests.services.kafka_roles import SHARDS, Load, Place, eventually

CONFIGURATION = 78


def topics(address: str, journal: str) -> set[str]:
    found = AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics
    return {name for name in found if name.startswith(f"{journal}.")}


def test_a_journal_is_made_once_and_grows_by_what_an_application_brings(
    tmp_path: Path, kafka: str, journal_name: str
) -> None:
    place = Place(tmp_path, kafka, journal_name)
    made = place.run("admin", "init", "--json").json
    assert set(made["topics"]) == topics(kafka, journal_name)
    assert (made["name"], made["shards"]) == (journal_name, SHARDS)
    again = place.run("admin", "init", "--json").json
    assert again == made | {"topics": []}
    place.path.write_text(place.path.read_text().replace("domains = [", 'domains = ["domain.flights:flights", '))
    grown = place.run("admin", "init", "--json").json
    assert grown["journal"] == made["journal"]
    assert set(made["categories"]) < set(grown["categories"])
    added = set(grown["categories"]) - set(made["categories"])
    assert set(grown["topics"]) == {f"{journal_name}.events.{category}" for category in added}


def test_journals_that_are_made_at_once_are_one_journal_for_everybody(
    tmp_path: Path, kafka: str, journal_name: str
) -> None:
    banking, both = [banking_domain], [banking_domain, flights_domain]
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = Place(folder, kafka, f"{journal_name}-{number}", shards=1)
        # the topics are there, so that nothing but the record is left to be done at once
        KafkaTopics(place.settings.kafka).create(all_topics(place.settings, 1, Application(both).aggregates))
        at_once = threading.Barrier(2)

        def make(domains: list[Domain], place: Place = place, at_once: threading.Barrier = at_once) -> Made:
            at_once.wait()
            return administration.init(place.settings, Application(domains))

        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(make, (banking, both)))
        meta = place.view().known_meta
        assert {one.journal for one in made} == {meta.journal}
        assert set(meta.categories) == set(Application(both).aggregates)
        written = [decode_meta(value) for value in meta_records(place)]
        assert written[0].journal == meta.journal, "the first one counts"
        assert written[-1].journal == meta.journal, "and stays when the topic is compacted"
        assert set(written[-1].categories) == set(meta.categories)


def test_a_record_of_another_journal_behind_the_first_is_passed_over_and_mended_by_init(
    tmp_path: Path, kafka: str, journal_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path, kafka, journal_name, shards=1).init()
    meta = place.view().known_meta
    other = msgspec.structs.replace(meta, journal="018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f")
    control = KafkaControl(place.settings.kafka)
    control.write(META_KEY, encode_meta(other))
    control.close()
    assert place.view().known_meta == meta
    assert "a meta record stands behind that of the journal" in caplog.text
    assert decode_meta(meta_records(place)[-1]) == other
    place.init()
    assert decode_meta(meta_records(place)[-1]) == meta


def meta_records(place: Place) -> list[bytes]:
    """Every meta record that was ever written, in the topic's order."""
    topic = place.settings.kafka.control_topic
    consumer = Consumer({"bootstrap.servers": place.settings.kafka.bootstrap_servers, "group.id": "looking"})
    try:
        end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[bytes] = []
        position = 0
        while position < end:
            message = consumer.poll(10)
            assert message is not None and message.error() is None
            position = message.offset() + 1
            if message.key() == META_KEY.encode():
                found.append(message.value())
        return found
    finally:
        consumer.close()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("shards = 4", "shards = 8", "number of shards"),
        ("routing_parts=1", "routing_parts=2", "routing parts of category 'item'"),
    ],
)
def test_another_shape_is_refused_before_anything_is_made(
    tmp_path: Path, kafka: str, journal_name: str, before: str, after: str, said: str
) -> None:
    place = Place(tmp_path, kafka, journal_name)
    (tmp_path / "stock.py").write_text(ITEMS)
    place.path.write_text(
        place.path.read_text().replace("domain.banking:banking", "stock:stock").replace("projections = [", "# [")
    )
    assert place.run("admin", "init").code == 0
    there = topics(kafka, journal_name)
    for path in (place.path, tmp_path / "stock.py"):
        path.write_text(path.read_text().replace(before, after))
    refused = place.run("admin", "init")
    assert refused.code == CONFIGURATION, refused.err
    assert said in refused.err
    assert topics(kafka, journal_name) == there


def test_a_topic_that_is_not_as_it_must_be_is_refused_with_what_mends_it(
    tmp_path: Path, kafka: str, journal_name: str
) -> None:
    place = Place(tmp_path, kafka, journal_name)
    topic = place.settings.kafka.journal_topic
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, SHARDS, 1, config={"cleanup.policy": "compact"})])[topic].result()
    refused = place.run("admin", "init")
    assert refused.code == CONFIGURATION
    assert topic in refused.err
    assert "cleanup.policy" in refused.err
    assert "kafka-configs.sh" in refused.err


def test_tools_read_the_journal_where_it_is(tmp_path: Path, kafka: str, journal_name: str) -> None:
    place = Place(tmp_path, kafka, journal_name).init()
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        eventually(lambda: len(place.view().owners) == SHARDS, "it is not announced")
        status = place.run("status", "--json").json
        assert [(o["shard"], o["owner"], o["epoch"]) for o in status["owners"]] == [
            (shard, "executor-0", 1) for shard in range(SHARDS)
        ]
        assert [shard["records"]["frames"] for shard in status["shards"]] == [1] * SHARDS
        assert "said to be served by executor-0: 0, 1, 2, 3" in place.run("status").out
    records = place.run("inspect", "2", "--json").lines
    assert [(r["kind"], r["epoch"]) for r in records] == [("claim", 1), ("frame", 1)]
    assert records[0]["owner"] == "executor-0"
    ledger = records[1]["entries"][0]["id"]
    steps = place.run("stream", f"account/{ledger}", "--json").lines
    assert [step["type"] for step in steps] == ["account/opened/1"]
    verified = place.run("verify")
    assert verified.code == 0, verified.err
    assert "the chain holds" in verified.out


@pytest.mark.parametrize("arguments", [["snapshot"], ["dev"]])
def test_commands_of_a_directory_are_refused(
    tmp_path: Path, kafka: str, journal_name: str, arguments: list[str]
) -> None:
    refused = Place(tmp_path, kafka, journal_name).run(*arguments)
    assert refused.code == CONFIGURATION
    assert "the journal is on Kafka" in refused.err
    assert not (tmp_path / "data").exists()


def test_commands_of_kafka_are_refused_where_no_brokers_are_named(tmp_path: Path) -> None:
    place = Place(tmp_path, "", "nothing")
    for arguments in (["admin", "owners"], ["serve", "relay"]):
        refused = place.run(*arguments)
        assert refused.code == CONFIGURATION
        assert "bootstrap_servers is empty" in refused.err


ITEMS = """
from shardlog import Aggregate, Command, Domain, Event, State

class Item(State): ...
class ItemCommand(Command): ...
class ItemEvent(Event): ...
class Add(ItemCommand): ...
class Added(ItemEvent): ...

item = Aggregate("item", initial=Item(), commands=ItemCommand, events=ItemEvent, routing_parts=1)

@item.decides
def add(state: Item, command: Add) -> Added:
    return Added()

@item.evolves
def added(state: Item, event: Added) -> Item:
    return state

stock = Domain("stock", aggregates=[item])
"""
