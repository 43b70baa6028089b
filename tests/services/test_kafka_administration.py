"""`shardlog admin init`, and commands that look into a journal on Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

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


@pytest.mark.parametrize("arguments", [["snapshot"], ["rebuild", "balances"], ["dead-letters"], ["dev"]])
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
