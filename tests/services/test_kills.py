"""kill -9 at random moments under load: what was acknowledged stands once, where it was said, and nothing else
does."""

from __future__ import annotations

import signal
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from domain.banking.account import account
from domain.banking.messages import Deposit, Open, Pay, Transfer, Withdraw
from shardlog import Command, CommandAccepted
from shardlog.codec.json import encode
from shardlog.journal.records import Accepted, Rejected
from shardlog.wiring.embedded import Embedded
from tests.services.bank_process import LEDGERS, SHARDS, Fed, application
from tests.services.processes import BankProcess, Left, Said, left_in
from tests.unit.executor.served import everything

KILLS = 15


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Said]]:
    """A directory whose process was killed many times, and all answers that were given."""
    directory = tmp_path_factory.mktemp("killed")
    random = Random(20)
    said: list[Said] = []
    for run in range(KILLS):
        process = BankProcess(directory, run)
        process.wait_for("serving")
        process.read(random.choice([0, 1, 5, 30, 100, 300]))
        process.kill()
        said += process.said
    assert len(said) > 300
    return directory, said


@pytest.fixture(scope="module")
def left(killed: tuple[Path, list[Said]]) -> list[Left]:
    return left_in(killed[0])


def test_every_answer_stands_in_the_journal_once_at_its_token(
    killed: tuple[Path, list[Said]], left: list[Left]
) -> None:
    places: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for shard in left:
        for token, entry in shard.entries:
            code = entry.code if isinstance(entry, Rejected) else "accepted"
            places.setdefault((entry.id, entry.command_id), []).append((token, code))
    assert all(len(found) == 1 for found in places.values())
    for said in killed[1]:
        assert said.token is not None
        assert places[said.id, said.command_id] == [(said.token, said.code)]


def test_the_versions_that_were_told_are_those_in_the_journal(
    killed: tuple[Path, list[Said]], left: list[Left]
) -> None:
    versions = {
        token: [event.version for event in entry.events if event.id == entry.id]
        for shard in left
        for token, entry in shard.entries
        if isinstance(entry, Accepted)
    }
    for said in killed[1]:
        if said.code == "accepted":
            assert versions[said.token][-1:] == ([] if said.version is None else [said.version])


def test_each_callers_commands_stand_in_the_order_in_which_they_were_answered(
    killed: tuple[Path, list[Said]], left: list[Left]
) -> None:
    order = {token: number for shard in left for number, (token, _) in enumerate(shard.entries)}
    last: dict[tuple[str, str], int] = {}
    for said in killed[1]:
        caller = said.command_id.rpartition("-")[0], said.id.partition(":")[0]
        assert order[said.token] > last.get(caller, -1)
        last[caller] = order[said.token]


def test_refused_commands_left_no_event(killed: tuple[Path, list[Said]], left: list[Left]) -> None:
    refused = {(said.id, said.command_id) for said in killed[1] if said.code != "accepted"}
    assert refused
    for shard in left:
        accepted = {(e.id, e.command_id) for _, e in shard.entries if isinstance(e, Accepted)}
        assert not accepted & refused


def test_money_adds_up(left: list[Left]) -> None:
    """What came in and did not leave is there, by events and by state."""
    for shard in left:
        balance = 0
        for _, entry in shard.entries:
            for event in getattr(entry, "events", ()):
                name = type(event.data).__name__
                sign = {
                    "Deposited": 1,
                    "TransferReceived": 1,
                    "PaymentReceived": 1,
                    "PaymentReturned": 1,
                    "TransferSent": -1,
                    "Withdrawn": -1,
                    "PaymentStarted": -1,
                }
                balance += sign.get(name, 0) * getattr(event.data, "amount", 0)
        buckets = shard.state.registry.categories["account"].buckets
        assert sum(slot.state.balance for bucket in buckets for slot in bucket.values()) == balance > 0


def test_the_feeders_records_were_taken_exactly_once_and_in_order(left: list[Left]) -> None:
    taken = 0
    for number, shard in enumerate(left):
        ids = [entry.command_id for _, entry in shard.entries if entry.channel == "feeder"]
        assert ids == [f"fed-{n}" for n in range(len(ids))]
        assert shard.state.inputs[Fed.name] == len(ids)
        deposits = sum(
            shard.state.registry.categories["account"].slot(f"{LEDGERS[number]}:fed{n}").state.balance for n in range(7)
        )
        assert deposits == len(ids) - Fed.accounts
        taken += len(ids)
    assert taken > 1_000


def test_a_restart_serves_the_replayed_state_and_repeats_get_their_first_answers(
    killed: tuple[Path, list[Said]], left: list[Left]
) -> None:
    directory, said = killed
    with Embedded(application, directory, shards=SHARDS, projects=False) as engine:
        engine.wait_for_sends()
    at_rest = left_in(directory)
    with Embedded(application, directory, shards=SHARDS, projects=False) as engine:
        for number, shard in enumerate(at_rest):
            live = engine.executor._shards[number]._core.state
            assert everything(live) == everything(shard.state)
        repeated = Counter(id for _, id, *_ in said)
        assert repeated
        token = next(s for s in reversed(said) if s.code == "accepted")
        entry = next(e for shard in left for t, e in shard.entries if t == token.token)
        command = command_of(entry)
        again = engine.send(account.stream(token.id), command, command_id=token.command_id)
        assert isinstance(again, CommandAccepted)
        assert again.token == token.token


def command_of(entry: Accepted[object]) -> Command:
    """The command of an entry, found by its check: payloads do not stand in frames."""
    candidates: list[Command] = [Open(owner="ann")]
    for amount in range(1, 50):
        candidates += [Deposit(amount=amount), Withdraw(amount=amount), Pay(to=f"{LEDGERS[0]}:9", amount=amount)]
        candidates += [Transfer(to=f"{entry.id.partition(':')[0]}:{n}", amount=amount) for n in range(3)]
    return next(c for c in candidates if crc32(encode(c), crc32(type(c).__wire_name__.encode() + b"\0")) == entry.check)


def rows(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the projections' tables, sorted, beside the framework's own."""
    with sqlite3.connect(directory / "projections.sqlite") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for name in names
            if "balances" in name and not name.startswith("shardlog")
        }


def test_projections_kept_over_kills_equal_a_fresh_rebuild(killed: tuple[Path, list[Said]]) -> None:
    directory = killed[0]
    with Embedded(application, directory, shards=SHARDS) as engine:
        engine.wait_for_sends()
        engine.wait_for_projections()
    kept = rows(directory)
    assert any(kept.values())
    for file in directory.glob("projections.sqlite*"):
        file.unlink()
    with Embedded(application, directory, shards=SHARDS) as engine:
        engine.wait_for_projections()
    assert rows(directory) == kept


@pytest.mark.parametrize(("number", "mode"), [(signal.SIGINT, ()), (signal.SIGTERM, ("terminates",))])
def test_a_process_that_is_interrupted_finishes_what_it_took_and_lets_go(
    tmp_path: Path, number: signal.Signals, mode: tuple[str, ...]
) -> None:
    process = BankProcess(tmp_path, 1, *mode)
    process.read(40)
    process.popen.send_signal(number)
    errors = process.finish()
    assert "KeyboardInterrupt" in errors
    assert "Fatal" not in errors
    said = [said for said in process.said if said.token is not None]
    assert len(said) >= 40
    tokens = {token for shard in left_in(tmp_path) for token, _ in shard.entries}
    assert {said.token for said in said} <= tokens
    with Embedded(application, tmp_path, shards=SHARDS, projects=False) as engine:
        assert "serving" in engine.executor.describe()
