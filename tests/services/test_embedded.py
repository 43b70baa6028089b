"""The embedded engine over a real directory: who may open it, what it refuses, and what damage does."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.banking import banking
from domain.banking.account import account
from domain.banking.messages import Deposit, Open, Transfer, Withdraw
from projections.banking import balances
from shardlog import (
    Aggregate,
    Application,
    Command,
    CommandAccepted,
    CommandRejected,
    CommandUnavailable,
    Domain,
    Event,
    Outcome,
    State,
)
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.client.commands import command_record
from shardlog.errors import ConfigurationError, Corrupt, InputChanged, JournalHeld, JournalMismatch, UnknownFormat
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant
from shardlog.executor.requests import Request
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.sinks import ThreadSink
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.wiring.embedded import Embedded
from tests.services.bank_process import LEDGERS, SHARDS, Fed, application
from tests.services.processes import BankProcess, left_in


class Lamp(State):
    is_on: bool = False


class Switch(Command): ...


class Switched(Event): ...


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A journal with an open account in each shard."""
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        for name in LEDGERS:
            for command in (Open(owner="ann"), Deposit(amount=100)):
                assert isinstance(engine.send(account.stream(f"{name}:1"), command), CommandAccepted)
    return tmp_path


def opened(directory: Path, **options: object) -> Embedded:
    return Embedded(application, directory, **({"shards": SHARDS, "projects": False} | options))


def ends(directory: Path) -> list[int]:
    """The next offset of each shard."""
    journal = SqliteJournal(directory, SHARDS)
    try:
        return [journal.offsets(shard)[1] for shard in range(SHARDS)]
    finally:
        journal.close()


# -- serving -----------------------------------------------------------------------------------------------------------
def test_what_was_sent_is_there_after_a_restart(directory: Path) -> None:
    with opened(directory) as engine:
        outcome = engine.send(account.stream(f"{LEDGERS[1]}:1"), Withdraw(amount=100))
        assert isinstance(outcome, CommandAccepted)
        assert outcome.version == 3
        assert isinstance(engine.send(account.stream(f"{LEDGERS[1]}:1"), Withdraw(amount=1)), CommandRejected)


def test_coroutines_threads_and_futures_share_one_engine(directory: Path) -> None:
    with opened(directory) as engine:

        async def ask(count: int) -> list[Outcome]:
            streams = [account.stream(f"{LEDGERS[n % SHARDS]}:1") for n in range(count)]
            return list(await asyncio.gather(*(engine.execute(stream, Deposit(amount=1)) for stream in streams)))

        outcomes: list[Outcome] = []
        threads = [
            threading.Thread(target=lambda: outcomes.extend(asyncio.run(ask(150)))),
            threading.Thread(
                target=lambda: outcomes.extend(
                    engine.send(account.stream(f"{LEDGERS[0]}:1"), Deposit(amount=1)) for _ in range(50)
                )
            ),
        ]
        for thread in threads:
            thread.start()
        futures = [engine.submit(account.stream(f"{LEDGERS[2]}:1"), Deposit(amount=1)) for _ in range(150)]
        for thread in threads:
            thread.join()
        outcomes += [future.result(20) for future in futures]
        assert len({outcome.token for outcome in outcomes if isinstance(outcome, CommandAccepted)}) == 350


def test_a_coroutine_that_is_cancelled_leaves_its_command_and_the_others_alone(directory: Path) -> None:
    async def ask(engine: Embedded) -> Outcome:
        stream = account.stream(f"{LEDGERS[0]}:1")
        given_up = asyncio.ensure_future(engine.execute(stream, Deposit(amount=1)))
        await asyncio.sleep(0)
        given_up.cancel()
        return await engine.execute(stream, Deposit(amount=1))

    with opened(directory) as engine:
        outcome = asyncio.run(ask(engine))
    assert isinstance(outcome, CommandAccepted)
    assert outcome.version == 4


@pytest.mark.parametrize("field", ["command_id", "actor", "tenant", "traceparent"])
def test_text_that_is_none_is_refused_and_the_engine_lives_on(directory: Path, field: str) -> None:
    stream = account.stream(f"{LEDGERS[0]}:1")
    with opened(directory) as engine:
        refused = engine.send(stream, Deposit(amount=1), **{field: "half a character: \ud800"})
        assert isinstance(refused, CommandRejected)
        assert refused.code == "invalid_command"
        assert isinstance(engine.send(stream, Deposit(amount=1)), CommandAccepted)
        engine.raise_errors()


def test_commands_after_the_end_are_answered(directory: Path) -> None:
    with opened(directory) as engine:
        stream = account.stream(f"{LEDGERS[0]}:1")
    assert isinstance(engine.send(stream, Deposit(amount=1)), CommandUnavailable)
    engine.close()


def test_an_input_is_taken_once_over_restarts_and_refused_under_another_incarnation(directory: Path) -> None:
    class Other(Fed):
        name = "feeder:services:2"

    for records in (500, 900):
        with opened(directory, inputs=[Fed(records)]) as engine:
            while engine.executor.settled(Fed.name) < records * SHARDS:
                engine.raise_errors()
                engine.send(account.stream(f"{LEDGERS[0]}:1"), Deposit(amount=1))
    with pytest.raises(InputChanged, match=r"feeder:services:2.*feeder:services:1"):
        opened(directory, inputs=[Other(900)]).__enter__()
    with opened(directory, inputs=[Other(50)], accepted_inputs=[Other.name]) as engine:
        while engine.executor.settled(Other.name) < 50 * SHARDS:
            engine.raise_errors()
            engine.send(account.stream(f"{LEDGERS[0]}:1"), Deposit(amount=1))
    for shard in left_in(directory):
        ids = [entry.command_id for _, entry in shard.entries if entry.channel == "feeder"]
        assert ids == [f"fed-{n}" for n in range(900)] + [f"fed-{n}" for n in range(50)]


# -- who may open it ---------------------------------------------------------------------------------------------------
def test_a_directory_that_another_process_serves_is_refused_and_free_once_it_was_killed(directory: Path) -> None:
    process = BankProcess(directory, 1)
    process.wait_for("serving")
    try:
        with pytest.raises(JournalHeld, match=str(process.popen.pid)):
            opened(directory).__enter__()
        process.read(5)
    finally:
        process.kill()
    assert len(process.said) >= 5
    with opened(directory):
        pass


def test_a_directory_is_served_once_in_one_process_too(directory: Path) -> None:
    with opened(directory), pytest.raises(JournalHeld):
        opened(directory).__enter__()
    with opened(directory):
        pass


@pytest.mark.parametrize("shards", [1, SHARDS - 1, SHARDS + 1])
def test_another_number_of_shards_is_refused_and_nothing_is_written(directory: Path, shards: int) -> None:
    before = ends(directory)
    with pytest.raises(JournalMismatch, match="number of shards"):
        opened(directory, shards=shards).__enter__()
    assert ends(directory) == before
    with opened(directory):
        pass


def routed_by_the_whole_id() -> Aggregate[Lamp, Command, Event]:
    """An aggregate of the same category whose ids would belong to other shards."""
    lamp = Aggregate("account", initial=Lamp())

    @lamp.decides
    def switch(state: Lamp, command: Switch) -> Switched:
        return Switched()

    @lamp.evolves
    def switched(state: Lamp, event: Switched) -> Lamp:
        return Lamp(is_on=not state.is_on)

    return lamp


def test_other_routing_parts_are_refused_and_nothing_is_written(directory: Path) -> None:
    before = ends(directory)
    other = Application([Domain("banking", aggregates=[routed_by_the_whole_id()])])
    with pytest.raises(JournalMismatch, match="routing parts of category 'account'"):
        Embedded(other, directory, shards=SHARDS).__enter__()
    assert ends(directory) == before


# -- damage ------------------------------------------------------------------------------------------------------------
def appended(directory: Path, shard: int, value: bytes) -> None:
    """The value stands in the log, by whatever wrote it."""
    journal = SqliteJournal(directory, SHARDS)
    landed = threading.Event()
    journal.writer(shard).append(value, lambda _: landed.set())
    assert landed.wait(20)
    journal.close()


def test_a_record_of_a_newer_format_stops_the_start_and_nothing_is_written_behind_it(directory: Path) -> None:
    """Rule R4: stop, never skip."""
    appended(directory, 1, b'["shardlog",2,"frame","whatever"]')
    end = ends(directory)[1]
    with pytest.raises(UnknownFormat, match=rf"shard 1, offset {end - 1}: .*format 2"):
        opened(directory).__enter__()
    assert ends(directory)[1] == end


def flip(directory: Path, shard: int, offset: int) -> None:
    """One bit of a stored record."""
    with sqlite3.connect(directory / f"shard-{shard:04d}.sqlite") as connection:
        (value,) = connection.execute("SELECT value FROM record WHERE offset = ?", (offset,)).fetchone()
        damaged = bytearray(value)
        damaged[-20] ^= 1
        connection.execute("UPDATE record SET value = ? WHERE offset = ?", (bytes(damaged), offset))
    connection.close()


def test_a_flipped_bit_is_found_at_the_start_and_named(directory: Path) -> None:
    flip(directory, 2, 1)
    with pytest.raises(Corrupt, match="shard 2, offset 1") as found:
        opened(directory).__enter__()
    assert (found.value.shard, found.value.offset) == (2, 1)


def test_a_flipped_bit_stops_its_shard_and_the_others_serve(directory: Path) -> None:
    flip(directory, 2, 1)
    with opened_in_part(directory) as executor:
        sink = ThreadSink()
        outcomes = []
        for shard in range(SHARDS):
            stream = account.stream(f"{LEDGERS[shard]}:1")
            record = command_record(stream, Deposit(amount=1), 0, {"command_id": f"c{shard}"})
            future: Future[Outcome] = Future()
            executor.submit(shard, Request(record, "local", sink, future))
            outcomes.append(future.result(20))
    assert [type(outcome) for outcome in outcomes] == [CommandAccepted, CommandAccepted, CommandUnavailable]
    assert "shard 2, offset 1" in outcomes[2].message


@contextmanager
def opened_in_part(directory: Path) -> Iterator[Executor]:
    """The executor of a directory of which a shard is damaged."""
    name = read_meta(directory).journal
    journal = SqliteJournal(directory, SHARDS)
    executor = Executor({number: shard_executor(journal, name, number) for number in range(SHARDS)})
    with pytest.raises(Corrupt):
        executor.start(20)
    try:
        yield executor
    finally:
        executor.stop()
        journal.close()


def shard_executor(journal: SqliteJournal, name: str, number: int) -> ShardExecutor:
    core = ExecutorCore(application, Shard(name, number, SHARDS), Limits())
    return ShardExecutor(core, journal, JournalWriter(Reader(name, number, SHARDS)), Claimant("test"), SystemWorld())


def test_a_bit_that_flips_while_it_serves_costs_a_repeat_its_answer_and_a_restart_names_it(directory: Path) -> None:
    stream = account.stream(f"{LEDGERS[0]}:1")
    with opened(directory) as engine:
        first = engine.send(stream, Deposit(amount=1), command_id="c")
        assert isinstance(first, CommandAccepted)
        offset = int(first.token.split(".")[2])
        flip(directory, 0, offset)
        repeat = engine.send(stream, Deposit(amount=1), command_id="c")
        assert isinstance(repeat, CommandUnavailable)
        assert repeat.code == "outcome_unknown"
        assert isinstance(engine.send(stream, Deposit(amount=1)), CommandAccepted)
    with pytest.raises(Corrupt, match=f"shard 0, offset {offset}"):
        opened(directory).__enter__()


def test_a_missing_row_is_corruption(directory: Path) -> None:
    with sqlite3.connect(directory / "shard-0001.sqlite") as connection:
        connection.execute("DELETE FROM record WHERE offset = 1")
    connection.close()
    with pytest.raises(Corrupt, match="shard 1, offset 1"):
        opened(directory).__enter__()


def test_limits_that_do_not_fit_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="frame_bytes_max"):
        opened(tmp_path / "new", limits=Limits(frame_bytes_max=1_000))
    assert not (tmp_path / "new").exists()


# -- a full disk -------------------------------------------------------------------------------------------------------
def test_on_a_full_disk_commands_get_a_clear_answer_and_nothing_acknowledged_is_lost(directory: Path) -> None:
    """A file that may not grow stands for the disk; with space again this process goes on, and so does the next."""
    process = BankProcess(directory, 1, "full")
    errors = process.finish()
    assert process.words == ["serving", "space", "served again"], errors
    accepted = [said for said in process.said if said.code == "accepted"]
    refused = [said for said in process.said if said.code != "accepted"]
    assert len(accepted) > 5
    assert len(refused) == 3
    assert {said.code for said in refused} <= {"unavailable", "outcome_unknown"}
    entries = {token: entry.command_id for shard in left_in(directory) for token, entry in shard.entries}
    for said in accepted:
        assert entries[said.token] == said.command_id
    ids = [entry.command_id for entry in (e for shard in left_in(directory) for _, e in shard.entries)]
    assert len(ids) == len(set(ids))
    assert not {said.command_id for said in refused if said.code == "unavailable"} & set(ids)
    with opened(directory) as engine:
        to = f"{LEDGERS[0]}:1"
        assert isinstance(engine.send(account.stream(f"{LEDGERS[0]}:full"), Transfer(to=to, amount=1)), CommandAccepted)


def test_projections_may_be_left_out_and_come_later(directory: Path) -> None:
    with opened(directory, projects=True) as engine:
        assert balances in engine.application.projections.values()
        engine.wait_for_projections()
        assert engine.lag() == 0
    assert banking.name == "banking"
