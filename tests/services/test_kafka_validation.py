"""A start with changed code over a journal on Kafka: it refuses to serve where that code leads to other states."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from tests.services.kafka_roles import Place, eventually

DIFFERS = 70
DOMAIN = """
from shardlog import Aggregate, Command, Domain, Event, State, replace

class Item(State):
    count: int = 0

class ItemCommand(Command): ...
class ItemEvent(Event): ...

class Add(ItemCommand):
    number: int

class Added(ItemEvent):
    number: int

item = Aggregate("item", initial=Item(), commands=ItemCommand, events=ItemEvent)

@item.decides
def add(state: Item, command: Add) -> Added:
    return Added(number=command.number)

@item.evolves
def added(state: Item, event: Added) -> Item:
    return replace(state, count=state.count + event.number)

stock = Domain("stock", aggregates=[item])
"""
BEFORE = "count=state.count + event.number"


@pytest.fixture
def place(tmp_path: Path, kafka: str, journal_name: str) -> Place:
    """A journal with a hundred events, and a snapshot of each shard that has some."""
    (tmp_path / "stock.py").write_text(DOMAIN)
    place = Place(tmp_path, kafka, journal_name, shards=1, more="[snapshots]\nevery_bytes = 1_000")
    text = place.path.read_text().replace("domain.banking:banking", "stock:stock")
    place.path.write_text(text.replace("projections = [", "# ["))
    assert place.run("admin", "init").code == 0
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(0)
        put(place, 100)
        snapshots = tmp_path / "data" / "snapshots"
        eventually(lambda: len(place.executed([0])) == 100, "not all is executed")
        put(place, 100, begin=100)
        eventually(lambda: [path for path in snapshots.rglob("*") if path.is_file()], "there is no snapshot")
        assert executor.terminate() == 0
    return place


def put(place: Place, number: int, begin: int = 0) -> None:
    producer = Producer({"bootstrap.servers": place.settings.kafka.bootstrap_servers})
    for n in range(begin, begin + number):
        fields = [1, "item", "lamp", "add", f"c{n}", "", "", "", "", "", "", None, None, {"number": 1}]
        producer.produce(place.settings.kafka.commands_topic, msgspec.json.encode(fields), partition=0)
    producer.flush()


def changed(place: Place, evolve: str) -> None:
    (place.folder / "stock.py").write_text(DOMAIN.replace(BEFORE, evolve))


def test_an_evolve_that_leads_elsewhere_is_not_served(place: Place) -> None:
    claims = place.claims(0)
    changed(place, "count=state.count + 2 * event.number")
    refused = place.run("serve", "executor", "--ordinal", "0")
    assert refused.code == DIFFERS, refused.err
    assert "this code does not lead to the state that the journal led to" in refused.err
    assert "item/lamp" in refused.err
    assert "Deploy the code that wrote the snapshot" in refused.err
    assert place.claims(0) == claims, "nothing was claimed"
    shutil.rmtree(place.folder / "data" / "snapshots")
    with place.serving("executor", "--ordinal", "0") as meant:
        meant.serves(0)
        assert meant.terminate() == 0


def test_an_evolve_that_refuses_what_was_written_is_not_served(place: Place) -> None:
    claims = place.claims(0)
    changed(place, f"{BEFORE} + 0 // (5 - state.count)")
    refused = place.run("serve", "executor", "--ordinal", "0")
    assert refused.code == DIFFERS, refused.err
    assert "item/lamp version 6 cannot be replayed: " in refused.err
    assert "by zero" in refused.err
    assert place.claims(0) == claims
    changed(place, BEFORE)
    with place.serving("executor", "--ordinal", "0") as again:
        again.serves(0)
        put(place, 1, begin=1_000)
        eventually(lambda: "c1000" in place.executed([0]), "it does not go on")
