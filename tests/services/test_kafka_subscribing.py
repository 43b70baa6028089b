"""Events of a journal on a real broker as an asynchronous iterator, beside the executors."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from domain.banking.messages import Deposit, Deposited, Open
from shardlog import CommandAccepted
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalUnavailable
from shardlog.projector.subscription import SubscriptionLimits
from shardlog.wiring.subscribing import subscribe
from tests.services.kafka_bank import KafkaBank, application, init
from tests.services.kafka_served import LEDGERS

SECONDS = 60.0


def test_events_come_from_the_beginning_as_they_happen_and_from_a_token_on(
    kafka: str, journal_name: str, tmp_path: Path
) -> None:
    settings = KafkaSettings(bootstrap_servers=kafka, journal=journal_name)
    bank = KafkaBank(settings, init(settings), "only")

    def deposit(amount: int) -> None:
        for ledger in LEDGERS:
            assert isinstance(bank.send(f"{ledger}:a", Deposit(amount=amount), f"d-{amount}"), CommandAccepted)

    async def take(count: int, *after: str) -> list[tuple[int, str]]:
        taken: list[tuple[int, str]] = []
        async with (
            asyncio.timeout(SECONDS),
            aclosing(subscribe(application, tmp_path, [Deposited], kafka=settings, after=after)) as events,
        ):
            async for event, recorded in events:
                assert recorded.position is not None
                taken.append((event.amount, recorded.position.token))
                if len(taken) == count // 2:
                    await asyncio.to_thread(deposit, 2 + len(after))
                if len(taken) == count:
                    return taken
        raise AssertionError("it ended")

    try:
        for ledger in LEDGERS:
            assert isinstance(bank.send(f"{ledger}:a", Open(owner="ann"), "open"), CommandAccepted)
        deposit(1)
        first = asyncio.run(take(4))
        assert sorted(amount for amount, _ in first) == [1, 1, 2, 2]
        deposit(3)
        second = asyncio.run(take(4, *(token for _, token in first)))
        assert sorted(amount for amount, _ in second) == [3, 3, 6, 6]
    finally:
        bank.close()


def test_brokers_that_stay_silent_are_waited_for_and_then_named(tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", journal="j", request_timeout_ms=500, read_timeout_ms=500)
    limits = msgspec.structs.replace(SubscriptionLimits(), unavailable_ms=1)

    async def run() -> None:
        async for _ in subscribe(application, tmp_path, kafka=settings, limits=limits):
            raise AssertionError("an event from nowhere")

    with pytest.raises(JournalUnavailable, match=r"127\.0\.0\.1:1"):
        asyncio.run(run())
