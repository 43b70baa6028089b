"""A projection of a journal on Kafka is built again while no projector keeps its tables, and executors go on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.services.kafka_roles import SHARDS, Load, Place, eventually

HELD = 75
LEDGERS = 4


def balances(place: Place) -> dict[str, int]:
    """By account, its row."""
    with sqlite3.connect(f"file:{place.folder / 'data' / 'projections.sqlite'}?mode=ro", uri=True) as tables:
        return dict(tables.execute("SELECT account, balance FROM account_balances"))


def test_a_projection_is_rebuilt_from_the_topic(tmp_path: Path, kafka: str, journal_name: str) -> None:
    place = Place(tmp_path, kafka, journal_name).init()
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        load.deposit(40)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        with place.serving("projector") as projector:
            projector.ready()
            eventually(lambda: sum(balances(place).values()) == 40, "the tables are not there")
            held = place.run("rebuild", "balances")
            assert held.code == HELD, held.err
            assert f"process {projector.process.pid} keeps the tables there" in held.err
            assert "end that process by Ctrl-C or SIGTERM, rebuild, and start it again" in held.err
            second = place.run("serve", "projector")
            assert second.code == HELD, "one projector a directory"
            assert projector.terminate() == 0
        before = balances(place)
        with sqlite3.connect(tmp_path / "data" / "projections.sqlite") as tables:
            tables.execute("UPDATE account_balances_v1 SET balance = 1000000")
        rebuilt = place.run("rebuild", "balances", "--json")
        assert rebuilt.code == 0, rebuilt.err
        assert rebuilt.json["projection"] == "balances"
        assert rebuilt.json["handled"] == 40 + LEDGERS
        assert balances(place) == before
        load.deposit(4)
        with place.serving("projector") as projector:
            projector.ready()
            eventually(lambda: sum(balances(place).values()) == 44, "it does not go on behind the rebuild")


def test_tables_that_have_diverged_from_the_topic_are_rebuilt(tmp_path: Path, kafka: str, journal_name: str) -> None:
    place = Place(tmp_path, kafka, journal_name).init()
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        eventually(lambda: load.is_executed_once(place), "not all is executed")
    assert place.run("rebuild", "balances").code == 0
    before = balances(place)
    with sqlite3.connect(tmp_path / "data" / "projections.sqlite") as tables:
        tables.execute("UPDATE shardlog_checkpoints SET next = next + 1000")
    with place.serving("projector") as projector:
        projector.logs("diverged")
        assert projector.terminate() == 0
    assert place.run("rebuild", "balances").code == 0
    assert balances(place) == before
