"""Two processes of `shardlog serve projector` keep the tables of a journal on Kafka in PostgreSQL; one is killed."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from tests.services.kafka_roles import SHARDS, Load, Place, eventually

LEDGERS = 4


def test_the_shards_of_a_killed_projector_go_to_the_other_one(
    tmp_path: Path, kafka: str, journal_name: str, postgresql: str, postgresql_schema: str
) -> None:
    url = make_url(postgresql)
    password = tmp_path / "password"
    password.write_text(url.password or "")
    place = Place(
        tmp_path,
        kafka,
        journal_name,
        more=f"""
[projections]
database = "{url._replace(password=None).render_as_string()}"
password_file = "{password}"
schema = '{postgresql_schema}'

[projector]
lease_ms = 900
""",
    ).init()

    def asked(statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(postgresql) as connection:
            connection.execute(SQL("SET search_path TO {}").format(Identifier(postgresql_schema)))
            return connection.execute(statement.encode()).fetchall()

    def shares() -> list[tuple[object, ...]]:
        return asked("SELECT count(*) FROM shardlog_leases WHERE until > clock_timestamp() GROUP BY owner")

    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        with place.serving("projector") as first, place.serving("projector") as second:
            first.ready()
            second.ready()
            eventually(lambda: shares() == [(2,), (2,)], "the shards are not spread over the two")
            load.deposit(40)
            first.kill()
            load.deposit(40)
            eventually(lambda: shares() == [(4,)], "the other one has not got all shards")
            balances = "SELECT sum(balance), count(*) FROM account_balances"
            eventually(lambda: asked(balances) == [(80, LEDGERS)], "not all is there")
            assert second.terminate() == 0
            assert shares() == []
            assert asked("SELECT count(*) FROM shardlog_members WHERE until > clock_timestamp()") == [(0,)]
