"""Money is conserved: by the events' own sums, by the state that a replay builds, and by the projections' tables."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from domain.banking.account import Account
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.replay import Replay
from shardlog.executor.state import Shard
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.telemetry.figures import ProjectionFigures
from shardlog.testing.simulation.log import ValidFrame
from shardlog.wiring.kafka.projector import ProjectorProcess
from shardlog.wiring.stores import TABLES
from tests.services.kafka_faults.bank import SHARDS, Bank, application
from tests.services.kafka_faults.load import wait_for

IN = {"deposited", "transfer_received", "payment_received", "payment_returned"}
OUT = {"withdrawn", "transfer_sent", "payment_started"}
QUERIES = (
    "SELECT account, ledger, owner, balance, in_transit, closed FROM account_balances ORDER BY account",
    "SELECT ledger, accounts, balance, in_transit FROM ledger_balances ORDER BY ledger",
)
REBUILT_SECONDS = 60.0


def check_money(bank: Bank, frames: Sequence[Sequence[ValidFrame]], *, is_at_rest: bool) -> int:
    """is_at_rest: whether every payment has ended. Returns how many payments began."""
    sums: dict[str, int] = defaultdict(int)
    amounts, payments = (
        Counter[str](),
        {name: Counter[str]() for name in ("started", "received", "settled", "returned")},
    )
    versions: dict[str, int] = defaultdict(int)
    for some in frames:
        for frame in some:
            for entry in frame.body[2]:
                for type, id, version, data in entry[15] if entry[0] == "a" else ():
                    versions[id] += 1
                    assert version == versions[id], f"{id}: version {version} follows {versions[id] - 1}"
                    name = type.split("/")[1]
                    amount = data.get("amount", 0)
                    sums[id] += amount * ((name in IN) - (name in OUT))
                    amounts[name] += amount
                    if name.startswith("payment_"):
                        payments[name.removeprefix("payment_")][data["payment"]] += 1
    assert set(payments["started"].values()) <= {1}, "a payment began twice"
    under_way = payments["started"] - payments["settled"] - payments["returned"]
    assert payments["settled"] <= payments["received"] <= payments["started"]
    assert not payments["received"] & payments["returned"], "a payment was received and given back"
    if is_at_rest:
        assert payments["received"] == payments["settled"]
        assert not under_way, f"{under_way.total()} payments never ended"
    states = replayed(bank)
    assert {id: state.balance for id, state in states.items()} == {id: sums[id] for id in states}
    in_flight = sum(sum(state.reserved.values()) for state in states.values())
    held = sum(state.balance for state in states.values())
    received_early = sum(amounts[name] for name in ("payment_received",)) - amounts["payment_settled"]
    paid_in = amounts["deposited"] - amounts["withdrawn"]
    assert held + in_flight - received_early == paid_in, f"{paid_in} were paid in, {held} held, {in_flight} in flight"
    return payments["started"].total()


def replayed(bank: Bank) -> dict[str, Account]:
    """The accounts of all shards as a replay of the journal from its beginning builds them."""
    journal = KafkaJournal(bank.kafka, SHARDS)
    accounts: dict[str, Account] = {}
    try:
        for shard in range(SHARDS):
            reader = Reader(bank.journal_id, shard, SHARDS)
            core = ExecutorCore(application, Shard(bank.journal_id, shard, SHARDS), Limits())
            replay = Replay(core.state, bank.journal_id, shard)
            for offset, value in journal.read(shard, 0):
                verdict = reader.pass_over(offset, value)
                if isinstance(verdict, FrameTaken):
                    replay.apply(offset, verdict.body, reader.epoch, reader.seq)
            for bucket in core.state.registry.categories["account"].buckets:
                accounts |= {id: slot.state for id, slot in bucket.items()}  # type: ignore[misc]  # the only category
    finally:
        journal.close()
    return accounts


def check_tables(bank: Bank) -> int:
    """The tables of the run equal those that are built anew, and the replayed state; returns how many rows."""
    fresh = bank.directory / "rebuilt"
    settings = msgspec.structs.replace(
        bank.settings, journal=msgspec.structs.replace(bank.settings.journal, directory=str(fresh))
    )
    process = ProjectorProcess(settings, application)
    thread = threading.Thread(target=process.run, args=(lambda _: None,), daemon=True)
    thread.start()
    try:
        wait_for(lambda: _has_all(process), REBUILT_SECONDS, lambda: "the rebuild did not end")
    finally:
        process.stop()
        thread.join()
    wanted = tables(fresh)
    wait_for(
        lambda: tables(bank.settings.directory) == wanted,
        REBUILT_SECONDS,
        lambda: f"the tables are {tables(bank.settings.directory)}, a rebuild gives {wanted}",
    )
    states = replayed(bank)
    found = {account: (balance, in_transit) for account, _, _, balance, in_transit, _ in wanted[0]}
    assert found == {id: (s.balance, sum(s.reserved.values())) for id, s in states.items() if id in found}
    assert {id for id, state in states.items() if state.status == "open"} == set(found)
    return sum(map(len, wanted))


def _has_all(process: ProjectorProcess) -> bool:
    """Whether it has begun, and its tables have what the journal held when it looked last."""
    kept = [figures for figures in process.figures() if isinstance(figures, ProjectionFigures)]
    return bool(kept) and all(one.next.get(shard, 0) >= end for one in kept for shard, end in one.end.items())


def tables(directory: Path) -> list[list[tuple[object, ...]]]:
    """All rows."""
    with sqlite3.connect(directory / TABLES) as connection:
        found = [connection.execute(query).fetchall() for query in QUERIES]
    connection.close()
    return found
