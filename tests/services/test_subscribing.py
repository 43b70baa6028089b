"""Events of a journal's directory as an asynchronous iterator, beside the process that serves it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from domain.banking.account import account
from domain.banking.messages import Deposit, Deposited, Open, Opened, Transfer, TransferReceived, TransferSent, Withdraw
from shardlog import CommandAccepted, DomainError, Event, InvalidToken, Recorded
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import shard_path
from shardlog.errors import Corrupt, Diverged, HistoryMissing, JournalMismatch, ShardlogError
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.reading import open_journal
from shardlog.wiring.subscribing import subscribe
from tests.services.bank_process import LEDGERS, SHARDS, application
from tests.unit.projector.bank import Paid

SECONDS = 30.0
Happened = tuple[Any, Recorded]


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Embedded]:
    """It serves on; an account in each shard has 100."""
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        for name in LEDGERS:
            for command in (Open(owner="ann"), Deposit(amount=100)):
                send(engine, f"{name}:1", command)
        yield engine


def send(engine: Embedded, id: str, command: Any) -> None:
    assert isinstance(engine.send(account.stream(id), command), CommandAccepted)


async def take(events: AsyncGenerator[Happened, None], count: int) -> list[Happened]:
    """The first so many; the rest stays where it is."""
    async with asyncio.timeout(SECONDS):
        return [await anext(events) for _ in range(count)]


def first(count: int, *given: Any, **options: Any) -> list[Happened]:
    """What a subscription of its own gives first."""

    async def run() -> list[Happened]:
        async with aclosing(subscribe(application, *given, **options)) as events:
            return await take(events, count)

    return asyncio.run(run())


def amounts(happened: list[Happened]) -> list[int]:
    return sorted(event.amount for event, _ in happened)


def test_events_of_all_shards_come_from_the_beginning_and_go_on_as_they_happen(bank: Embedded, tmp_path: Path) -> None:
    async def run() -> None:
        async with aclosing(subscribe(application, tmp_path, [Opened, Deposited])) as events:
            past = await take(events, 2 * SHARDS)
            assert sorted(type(event).__name__ for event, _ in past) == ["Deposited"] * SHARDS + ["Opened"] * SHARDS
            by_shard = {recorded.position.shard: type(event) for event, recorded in past if recorded.position}
            assert set(by_shard.values()) == {Deposited}, "in each shard the deposit is the last"
            for number, name in enumerate(LEDGERS, 1):
                await asyncio.to_thread(send, bank, f"{name}:1", Deposit(amount=number))
            assert amounts(await take(events, SHARDS)) == list(range(1, SHARDS + 1))

    asyncio.run(run())


def test_what_is_not_named_is_not_heard(bank: Embedded, tmp_path: Path) -> None:
    name = LEDGERS[0]
    send(bank, f"{name}:2", Open(owner="bob"))
    send(bank, f"{name}:1", Transfer(to=f"{name}:2", amount=7))
    sent, received = first(2, tmp_path, [TransferSent, TransferReceived])
    assert (sent[0].amount, sent[1].id, received[1].id) == (7, f"{name}:1", f"{name}:2")
    assert len(first(2 * SHARDS + 3, tmp_path)) == 2 * SHARDS + 3
    assert len(first(2, tmp_path, categories=["account"])) == 2


def test_a_consumer_goes_on_behind_the_furthest_token_of_each_shard(bank: Embedded, tmp_path: Path) -> None:
    before = first(2 * SHARDS, tmp_path)
    tokens = [recorded.position.token for _, recorded in before if recorded.position]
    for number, name in enumerate(LEDGERS, 1):
        send(bank, f"{name}:1", Deposit(amount=number))
    assert amounts(first(SHARDS, tmp_path, after=reversed(tokens))) == list(range(1, SHARDS + 1))


def test_a_token_in_the_middle_of_a_frame_is_gone_on_behind(bank: Embedded, tmp_path: Path) -> None:
    name = LEDGERS[0]
    send(bank, f"{name}:2", Open(owner="bob"))
    send(bank, f"{name}:1", Transfer(to=f"{name}:2", amount=7))
    ((_, sent),) = first(1, tmp_path, [TransferSent])
    assert sent.position is not None
    ((event, received),) = first(1, tmp_path, [TransferReceived, TransferSent], after=[sent.position.token])
    assert isinstance(event, TransferReceived)
    assert received.position is not None
    assert (received.position.offset, received.position.index) == (sent.position.offset, sent.position.index + 1)


def test_from_now_nothing_of_before_is_heard(bank: Embedded, tmp_path: Path) -> None:
    async def run() -> None:
        async with aclosing(subscribe(application, tmp_path, [Deposited], start="now")) as events:
            waiting = asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            number = 0
            while not done:  # what was sent before the subscription stood is of before
                number += 1
                await asyncio.to_thread(send, bank, f"{LEDGERS[0]}:1", Deposit(amount=number))
                done, _ = await asyncio.wait([waiting], timeout=0.2)
            event, recorded = waiting.result()
            assert 1 <= event.amount <= number
            assert recorded.version == 2 + event.amount

    asyncio.run(run())


def test_no_event_is_read_ahead_of_a_batch(bank: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shardlog.projector import subscription

    for number in range(1, 41):
        send(bank, f"{LEDGERS[0]}:1", Deposit(amount=number))
    read: list[int] = []
    original = subscription.Subscription._records
    monkeypatch.setattr(
        subscription.Subscription,
        "_records",
        lambda self: read.append(len(found := original(self))) or found,  # type: ignore[func-returns-value]
    )
    limits = subscription.SubscriptionLimits(batch_frames_max=SHARDS)
    assert len(first(3, tmp_path, limits=limits)) == 3
    assert max(read) <= SHARDS
    assert sum(read) < 40


def test_cancellation_ends_it_and_lets_go_of_thread_and_files(bank: Embedded, tmp_path: Path) -> None:
    async def consume() -> None:
        async for _ in subscribe(application, tmp_path):
            pass

    async def run() -> None:
        task = asyncio.create_task(consume())
        async with asyncio.timeout(SECONDS):
            while not any(thread.name.startswith("shardlog-subscription") for thread in threading.enumerate()):
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    for thread in threading.enumerate():
        if thread.name.startswith("shardlog-subscription"):
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_leaving_the_loop_ends_it_too(bank: Embedded, tmp_path: Path) -> None:
    async def run() -> Event | None:
        async for event, _ in subscribe(application, tmp_path):
            return event
        return None

    assert isinstance(asyncio.run(run()), Opened)


def stopped(*given: Any, **options: Any) -> tuple[list[Happened], ShardlogError]:
    """What came before it stopped, and why it did."""

    async def run() -> tuple[list[Happened], ShardlogError]:
        heard: list[Happened] = []
        try:
            async with asyncio.timeout(SECONDS):
                async for happened in subscribe(application, *given, **options):
                    heard.append(happened)
        except ShardlogError as error:
            return heard, error
        raise AssertionError("it ended")

    return asyncio.run(run())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A journal that nobody serves any more, with 4 frames or more in each shard."""
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        for name in LEDGERS:
            for command in (Open(owner="ann"), Deposit(amount=100), Deposit(amount=1), Withdraw(amount=5)):
                send(engine, f"{name}:1", command)
    return tmp_path


def ends(directory: Path) -> list[int]:
    with open_journal(directory) as opened:
        return [opened.journal.offsets(shard)[1] for shard in range(SHARDS)]


def test_a_damaged_record_stops_it_behind_the_events_before_it(directory: Path) -> None:
    connection = sqlite3.connect(shard_path(directory, 0))
    connection.execute("UPDATE record SET value = value || x'00' WHERE offset = (SELECT max(offset) FROM record)")
    connection.commit()
    connection.close()
    heard, error = stopped(directory)
    assert isinstance(error, Corrupt)
    assert len([one for one, recorded in heard if recorded.position and recorded.position.shard == 0]) == 3


def test_a_journal_that_has_lost_what_was_heard_has_diverged(directory: Path) -> None:
    journal = stopped_at(directory)
    heard, error = stopped(directory, after=[f"{journal}.1.{ends(directory)[1]}.0"])
    assert (heard, type(error)) == ([], Diverged)
    assert "it has lost records" in str(error)
    _, other = stopped(directory, after=["0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11.0.1.0"])
    assert isinstance(other, Diverged)
    assert "of another journal" in str(other)
    _, shard = stopped(directory, after=[f"{journal}.{SHARDS}.1.0"])
    assert isinstance(shard, Diverged)


def stopped_at(directory: Path) -> str:
    with open_journal(directory) as opened:
        return opened.meta.journal


def test_where_the_beginning_is_cut_off_it_begins_at_now_and_says_what_is_missing_else(directory: Path) -> None:
    journal = SqliteJournal(directory, SHARDS)
    journal.truncate(0, 2)
    journal.close()
    _, error = stopped(directory)
    assert isinstance(error, HistoryMissing)
    assert "shard 0 begins at offset 2, and events are wanted from offset 0 on" in str(error)


def test_a_snapshot_spares_reading_what_is_before_it(tmp_path: Path) -> None:
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        for name in LEDGERS:
            for command in (Open(owner="ann"), Deposit(amount=100)):
                send(engine, f"{name}:1", command)
        engine.snapshot()
        for name in LEDGERS:
            send(engine, f"{name}:1", Deposit(amount=1))
            send(engine, f"{name}:1", Deposit(amount=2))
        before = first(4 * SHARDS, tmp_path)
        tokens = [recorded.position.token for event, recorded in before if recorded.position and recorded.version == 3]
        held = ends(tmp_path)
    journal = SqliteJournal(tmp_path, SHARDS)
    for shard, end in enumerate(held):
        journal.truncate(shard, end - 3)
    journal.close()
    assert amounts(first(SHARDS, tmp_path, after=tokens)) == [2] * SHARDS


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    _, error = stopped(tmp_path / "nothing")
    assert isinstance(error, JournalMismatch)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"events": [Paid]}, "Paid is an event that no aggregate of the application evolves"),
        ({"events": []}, "events is empty"),
        ({"categories": ["acount"]}, "which is no category of the application; did you mean 'account'?"),
        ({"categories": "account"}, "categories='account' is a text, and must be a list: ['account']"),
        ({"start": "end"}, "start='end', and must be 'beginning' or 'now'"),
        ({"after": "x.0.1.0"}, "after='x.0.1.0' is a text, and must be a list of tokens"),
    ],
)
def test_a_wrong_argument_is_refused_when_it_is_given(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as refused:
        subscribe(application, tmp_path, **options)
    assert said in str(refused.value)


def test_a_text_that_is_no_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidToken):
        subscribe(application, tmp_path, after=["yesterday"])
