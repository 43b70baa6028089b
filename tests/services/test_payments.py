"""Payments between ledgers on different shards: money is conserved, each goes its way once, whatever is killed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from domain.banking.account import account
from domain.banking.messages import Pay
from shardlog import CommandAccepted
from shardlog.adapters.sql.relay_store import SqlRelayStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.executor.clock import SystemWorld
from shardlog.relay.limits import RelayLimits
from shardlog.relay.runner import Relay
from shardlog.wiring.embedded import Embedded
from tests.services.bank_process import SHARDS, application
from tests.services.payment_process import ACCOUNTS, FUNDS, NEVER_OPENED, fund
from tests.services.payments import accounts_in, check_money, events_in
from tests.services.processes import BankProcess, Said, left_in

KILLS = 8


class PaymentProcess(BankProcess):
    module = "tests.services.payment_process"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Said]]:
    """A directory whose process was killed many times, with payments under way, and all answers that were given."""
    directory = tmp_path_factory.mktemp("paying")
    random = Random(7)
    said: list[Said] = []
    found_under_way = 0
    for run in range(KILLS):
        process = PaymentProcess(directory, run)
        process.wait_for("serving")
        process.read(random.choice([1, 5, 30, 100, 300]))
        process.kill()
        said += process.said
        found_under_way += any(state.reserved for state in accounts_in(left_in(directory)).values())
        if run == KILLS // 2:
            for file in directory.glob("relay.sqlite*"):  # the checkpoint is lost: it begins at 0
                file.unlink()
    assert found_under_way > KILLS // 3
    return directory, said


def test_money_is_conserved_over_kills_and_in_the_end_nothing_is_under_way(killed: tuple[Path, list[Said]]) -> None:
    directory, said = killed
    with Embedded(application, directory, shards=SHARDS) as engine:
        engine.wait_for_sends()
        engine.wait_for_projections()
        assert engine.command_dead_letters() == []
    left = left_in(directory)
    check_money(left, FUNDS * len(ACCOUNTS))
    accepted = {answer.command_id for answer in said if answer.code == "accepted"}
    assert len(accepted) > 200
    paid = {entry.command_id for shard in left for _, entry in shard.entries if entry.command == "pay"}
    assert accepted <= paid
    assert events_in(left, "PaymentReturned")
    with sqlite3.connect(directory / "projections.sqlite") as connection:
        (sums,) = connection.execute("SELECT sum(balance), sum(in_transit) FROM ledger_balances")
    assert sums == (FUNDS * len(ACCOUNTS), 0)


def test_a_relay_whose_checkpoint_is_lost_begins_at_the_beginning_and_doubles_nothing(
    killed: tuple[Path, list[Said]],
) -> None:
    directory = killed[0]
    with Embedded(application, directory, shards=SHARDS, projects=False) as engine:
        engine.wait_for_sends()
    before = accounts_in(left_in(directory))
    for file in directory.glob("relay.sqlite*"):
        file.unlink()
    with Embedded(application, directory, shards=SHARDS, projects=False) as engine:
        engine.wait_for_sends()
    assert accounts_in(left_in(directory)) == before
    with sqlite3.connect(directory / "relay.sqlite") as connection:
        stored = dict(connection.execute("SELECT shard, next FROM shardlog_relay_checkpoints"))
    journal = SqliteJournal(directory, SHARDS)
    assert stored == {shard: journal.offsets(shard)[1] for shard in range(SHARDS)}
    journal.close()


def test_closing_leaves_sends_under_way_to_the_next_start(tmp_path: Path) -> None:
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        fund(engine)
        stream = account.stream(ACCOUNTS[0])
        asked = [engine.submit(stream, Pay(to=ACCOUNTS[-1], amount=1)) for _ in range(500)]
        assert all(isinstance(future.result(30), CommandAccepted) for future in asked)
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        engine.wait_for_sends()
        assert engine.read(stream).state.reserved == {}
        assert engine.read(account.stream(ACCOUNTS[-1])).state.balance == FUNDS + 500
    check_money(left_in(tmp_path), FUNDS * len(ACCOUNTS))


def test_a_payment_that_is_refused_is_given_back(tmp_path: Path) -> None:
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        fund(engine)
        for payee in NEVER_OPENED:
            engine.send(account.stream(ACCOUNTS[0]), Pay(to=payee, amount=70))
        engine.wait_for_sends()
        state = engine.read(account.stream(ACCOUNTS[0])).state
        assert (state.balance, state.reserved) == (FUNDS, {})
        assert engine.command_dead_letters() == []


def test_two_relays_at_once_do_no_harm(tmp_path: Path) -> None:
    """The second one moves the same checkpoints in the same file, from another connection to the journal."""
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        fund(engine)
        journal, store = SqliteJournal(tmp_path, SHARDS), SqlRelayStore(tmp_path / "relay.sqlite")
        other = Relay(
            journal,
            engine.meta.journal,
            SHARDS,
            application,
            store,
            lambda: engine.executor.received,
            SystemWorld().monotonic_ms,
            limits=RelayLimits(checkpoint_ms=0),
        )
        asked = []
        for n in range(200):
            asked.append(engine.submit(account.stream(ACCOUNTS[n % 6]), Pay(to=ACCOUNTS[(n + 2) % 6], amount=1)))
            other.step()
        assert all(isinstance(future.result(30), CommandAccepted) for future in asked)
        engine.wait_for_sends()
        while other.step():
            pass
        other.flush()
        assert other.errors == {}
        assert other.behind() == 0
        store.close()
        journal.close()
    check_money(left_in(tmp_path), FUNDS * len(ACCOUNTS))
