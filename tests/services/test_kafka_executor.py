"""The bank served over a journal on Kafka: taken over, projected, and through the death of its broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from domain.banking.messages import Deposit, Open, Transfer
from shardlog import CommandAccepted, CommandUnavailable
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.testing.services.kafka import KafkaCluster
from tests.services.kafka_bank import KafkaBank, init, project

LEDGERS = [f"l{number}" for number in range(6)]


def opened(bank: KafkaBank) -> None:
    """Two accounts in each ledger, with 100 in the first."""
    futures = [
        bank.submit(f"{ledger}:{name}", Open(owner="ann"), f"open-{name}") for ledger in LEDGERS for name in ("a", "b")
    ]
    futures += [bank.submit(f"{ledger}:a", Deposit(amount=100), "first") for ledger in LEDGERS]
    assert all(isinstance(future.result(60), CommandAccepted) for future in futures)


def test_the_bank_is_served_taken_over_and_projected(kafka: str, journal_name: str, tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap_servers=kafka, journal=journal_name)
    meta = init(settings)
    assert init(settings) == meta
    taken_over = False
    first = KafkaBank(settings, meta, "first", lambda _since_ms: not taken_over)
    opened(first)
    many = [
        first.submit(f"{ledger}:a", Transfer(to=f"{ledger}:b", amount=1), f"t-{number}")
        for number in range(50)
        for ledger in LEDGERS
    ]
    outcomes = {(number // 6, number % 6): future.result(60) for number, future in enumerate(many)}
    assert all(isinstance(outcome, CommandAccepted) for outcome in outcomes.values())

    taken_over = True
    second = KafkaBank(settings, meta, "second")
    try:
        assert second.send("l0:a", Transfer(to="l0:b", amount=1), "t-7") == outcomes[7, 0]
        late = [first.submit(f"{ledger}:a", Deposit(amount=1_000), "late") for ledger in LEDGERS]
        answers = [future.result(60) for future in late]
        assert all(isinstance(answer, CommandUnavailable) for answer in answers), answers
        assert set(first.executor.modes.values()) == {"stopped"}
        for ledger in LEDGERS:
            assert isinstance(second.send(f"{ledger}:a", Deposit(amount=5), "more"), CommandAccepted)
        balances = project(second.journal, meta, tmp_path / "projections.sqlite")
        expected = {f"{ledger}:{name}": amount for ledger in LEDGERS for name, amount in (("a", 55), ("b", 50))}
        assert balances == expected
    finally:
        second.close()
        first.close()


def test_the_death_of_the_broker_is_answered_in_bounded_time_and_survived_without_a_restart(
    start_kafka: Callable[..., KafkaCluster], journal_name: str, tmp_path: Path
) -> None:
    cluster = start_kafka(session_timeout_ms=2_000)
    (broker,) = cluster.brokers
    settings = KafkaSettings(
        bootstrap_servers=cluster.bootstrap, journal=journal_name, request_timeout_ms=2_000, read_timeout_ms=1_000
    )
    meta = init(settings)
    bank = KafkaBank(settings, meta, "only")
    try:
        opened(bank)
        broker.kill()
        meanwhile = [bank.submit(f"{ledger}:a", Deposit(amount=7), "meanwhile") for ledger in LEDGERS]
        answers = [future.result(60) for future in meanwhile]
        assert all(isinstance(answer, CommandUnavailable) for answer in answers), answers
        broker.start()
        broker.wait_until_ready()
        for ledger in LEDGERS:
            outcome = bank.send(f"{ledger}:a", Deposit(amount=7), "meanwhile")
            while isinstance(outcome, CommandUnavailable):  # until the shard has claimed again
                outcome = bank.send(f"{ledger}:a", Deposit(amount=7), "meanwhile")
            assert isinstance(outcome, CommandAccepted)
        balances = project(bank.journal, meta, tmp_path / "projections.sqlite")
        assert [balances[f"{ledger}:a"] for ledger in LEDGERS] == [107] * len(LEDGERS)
    finally:
        bank.close()
