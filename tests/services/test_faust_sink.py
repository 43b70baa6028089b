"""A real faust worker on a real broker, killed again and again, leaves each event's rows once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from random import Random

import psycopg
import pytest
from psycopg import sql

from domain.banking.messages import Deposited, Withdrawn
from tests.services.bank_process import application
from tests.services.faust_worker import FaustWorker, sums
from tests.services.kafka_relayed import RelayedJournal, kill, wait_until

STREAMS = [f"{ledger}:{number}" for ledger in "abcdef" for number in range(5)]
FRAMES = 150
KILLS = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'sums.sqlite'}"
        return
    url: str = request.getfixturevalue("postgresql")
    schema = f"faust_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        yield f"{url.replace('postgresql://', 'postgresql+psycopg://')}?options=-csearch_path%3D{schema}"
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def happen(journal: RelayedJournal) -> dict[str, tuple[int, int]]:
    """Deposits and withdrawals of all accounts; returns how many there are of each, and what they come to."""
    log, chance = journal.log(), Random(9)
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for _ in range(FRAMES):
        for id in chance.sample(STREAMS, 12):
            amount = chance.randrange(1, 100)
            event = (
                Deposited(amount=amount) if chance.random() < 0.7 else Withdrawn(amount=amount, day=date(2026, 11, 29))
            )
            log.happened((id, event))
            counts[id] += 1
            sums[id] += amount if isinstance(event, Deposited) else -amount
    journal.wait_until_landed()
    return {id: (counts[id], sums[id]) for id in counts}


@pytest.mark.timeout(280)
def test_workers_and_relays_that_are_killed_leave_each_events_rows_once(
    kafka: str, journal_name: str, database: str, tmp_path: Path
) -> None:
    journal = RelayedJournal(kafka, journal_name, application=application)
    expected = happen(journal)
    with ExitStack() as ends:
        ends.callback(journal.close)
        halted = journal.process("bank", halts=5)  # in its fifth transaction: what is in it is published twice
        ends.callback(kill, halted)
        assert halted.stdout is not None
        while (said := halted.stdout.readline()) != b"halted\n":
            assert said
        worker = FaustWorker(journal, database, tmp_path)
        ends.callback(worker.kill)
        worker.read(2)
        halted.kill()
        ends.callback(kill, journal.process("bank"))
        for _ in range(KILLS):
            worker.read(3)
            worker.kill()
            worker = FaustWorker(journal, database, tmp_path)
            ends.callback(worker.kill)
        wait_until(lambda: sums(database) == expected, worker.log.read_text, 100.0)
