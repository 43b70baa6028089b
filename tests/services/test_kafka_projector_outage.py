"""PostgreSQL goes away under `shardlog serve projector`, and comes back: what the log has of it, line by line."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shardlog.testing.services.postgresql import PostgresqlServer
from tests.services.kafka_roles import SHARDS, Load, Place, Role, eventually
from tests.services.postgresql_faults.workers import end_postmaster
from tests.services.postgresql_settings import settings_of

SCHEMA = "bank"
BEGINS = "the projections' database is asked again until it does what it should: "
ENDS = "the projections' database does again what it should, after "
TALLIES = '''
from domain.banking.messages import Deposited
from shardlog import Changes, Key, Projection, Recorded, Row, increment


class Tally(Row, name="tallies"):
    """How often money came in."""

    account: Key[str]
    deposits: int = 0


tallies = Projection("tallies", rows=[Tally])


@tallies.on
def deposited(_event: Deposited, recorded: Recorded) -> Changes:
    return increment(Tally, recorded.id, deposits=1)
'''


@pytest.fixture
def server(start_postgresql: Callable[[], PostgresqlServer]) -> PostgresqlServer:
    return start_postgresql()


@pytest.fixture
def place(tmp_path: Path, kafka: str, journal_name: str, server: PostgresqlServer) -> Place:
    more = f"{settings_of(tmp_path, server.url, SCHEMA)}\n[projector]\nlease_ms = 900\nwrite_deadline_s = 2.0\n"
    place = Place(tmp_path, kafka, journal_name, more=more)
    (tmp_path / "tallies.py").write_text(TALLIES)
    settings = place.path.read_text()
    place.path.write_text(settings.replace('balances"]', 'balances", "tallies:tallies"]'))
    return place.init()


def seen(server: PostgresqlServer, statement: str) -> object:
    with psycopg.connect(server.url) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(SCHEMA)))
        found = connection.execute(statement.encode()).fetchone()
    return None if found is None else found[0]


def until_written(server: PostgresqlServer, deposits: int) -> None:
    def is_there() -> bool:
        both = "SELECT array[(SELECT sum(deposits) FROM tallies), (SELECT sum(balance) FROM account_balances)]"
        return bool(seen(server, both) == [deposits, deposits])

    eventually(is_there, "not all is there")


def until_met(role: Role) -> None:
    """Until the outage was met by all who can: batches, leases and records of builds, for longer
    than a batch is tried."""
    eventually(lambda: _lag_s(role) > 5.0, "the metrics do not tell of it")


def _lag_s(role: Role) -> float:
    """For how long the oldest record has waited, by the process's own clock."""
    text = httpx.get(f"http://127.0.0.1:{role.lines[0]['metrics_port']}/metrics").text
    ages = [float(found) for found in re.findall(r"^shardlog_projection_lag_seconds\{.*\} (\S+)$", text, re.MULTILINE)]
    return max(ages, default=0.0)


def _has_told(role: Role, ends: int) -> bool:
    return role.log.count(ENDS) == ends


def test_an_outage_is_one_line_when_it_begins_and_one_when_it_is_over(place: Place, server: PostgresqlServer) -> None:
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor, place.serving("projector") as projector:
        executor.serves(*range(SHARDS))
        projector.ready()
        load.deposit(20)
        until_written(server, 20)
        for outage, how in ((1, signal.SIGINT), (2, signal.SIGQUIT)):  # PostgreSQL's fast and its immediate end
            quiet = projector.log.count("\n")
            end_postmaster(server, how)
            load.deposit(20)
            until_met(projector)
            server.start()
            until_written(server, 20 + outage * 20)
            eventually(partial(_has_told, projector, outage), "its end is not told")
            lines = projector.log.splitlines()[quiet:]
            assert [BEGINS in lines[0], ENDS in lines[1], len(lines)] == [True, True, 2], lines
        assert projector.terminate() == 0
    assert "stamina" not in projector.log
    assert "psycopg" not in projector.log


def test_a_projector_that_starts_while_its_database_is_away_waits_for_it(
    place: Place, server: PostgresqlServer
) -> None:
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        load.deposit(20)
        end_postmaster(server, signal.SIGINT)
        with place.serving("projector") as projector:
            projector.logs(BEGINS)
            server.start()
            projector.ready()
            until_written(server, 20)
            assert projector.terminate() == 0
        lines = [line for line in projector.log.splitlines() if "database" in line]
        assert [BEGINS in lines[0], ENDS in lines[1], len(lines)] == [True, True, 2]
        end_postmaster(server, signal.SIGINT)
        with place.serving("projector") as projector:
            projector.logs(BEGINS)
            assert projector.terminate() == 0
