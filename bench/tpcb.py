"""TPC-B-like transfers: account, teller, branch and history of one branch in one transaction.

As pgbench has it, a branch has 10 tellers and 100,000 accounts, amounts are from -5,000 to 5,000, and the caller gets
the account's new balance. Ids begin with the branch (`BRANCH:account`, `BRANCH:teller`), which is the routing key;
teller and account are drawn within the branch, so that a transfer is one of one shard. Streams that nobody has touched
are at 0.
"""

from __future__ import annotations

import random
from typing import Annotated, NamedTuple

from shardlog import Aggregate, Application, Command, Domain, Event, Meta, State, Transaction, replace
from shardlog.executor.state import ShardState

TELLERS_A_BRANCH = 10
ACCOUNTS_A_BRANCH = 100_000
DELTA_MAX = 5_000


class Balance(State):
    """Of an account, a teller or a branch."""

    balance: int = 0


class Booked(State):
    """A branch's history: how many transfers, and their sum. The transfers themselves are its events."""

    transfers: int = 0
    total: int = 0


class Transfer(Command):
    """Add delta to the account, to the teller and to their branch."""

    teller: Annotated[str, Meta(min_length=1, max_length=64)]
    delta: Annotated[int, Meta(ge=-DELTA_MAX, le=DELTA_MAX)]


class AccountChanged(Event):
    """balance: the new one, which is what the caller wants to know."""

    delta: int
    balance: int


class TellerChanged(Event):
    delta: int


class BranchChanged(Event):
    delta: int


class TransferBooked(Event):
    """A row of pgbench's history; its time is that of the frame."""

    teller: str
    account: str
    delta: int


account = Aggregate("account", initial=Balance(), events=AccountChanged, routing_parts=1)
teller = Aggregate("teller", initial=Balance(), routing_parts=1)
branch = Aggregate("branch", initial=Balance(), routing_parts=1)
history = Aggregate("history", initial=Booked(), routing_parts=1)


@account.transaction
def transfer(tx: Transaction[Balance, AccountChanged], command: Transfer) -> None:
    """All four streams or none."""
    own, delta = tx.own, command.delta
    branch_id = own.id.partition(":")[0]
    own.append(AccountChanged(delta=delta, balance=own.state.balance + delta))
    tx.load(teller.stream(command.teller)).append(TellerChanged(delta=delta))
    tx.load(branch.stream(branch_id)).append(BranchChanged(delta=delta))
    tx.load(history.stream(branch_id)).append(TransferBooked(teller=command.teller, account=own.id, delta=delta))


@account.evolves
def account_changed(state: Balance, event: AccountChanged) -> Balance:
    return replace(state, balance=event.balance)


@teller.evolves
def teller_changed(state: Balance, event: TellerChanged) -> Balance:
    return replace(state, balance=state.balance + event.delta)


@branch.evolves
def branch_changed(state: Balance, event: BranchChanged) -> Balance:
    return replace(state, balance=state.balance + event.delta)


@history.evolves
def transfer_booked(state: Booked, event: TransferBooked) -> Booked:
    return replace(state, transfers=state.transfers + 1, total=state.total + event.delta)


application = Application(domains=[Domain("tpcb", aggregates=[account, teller, branch, history])])


class Sums(NamedTuple):
    """What must agree: all but `transfers` are the same sum, taken four times."""

    transfers: int
    accounts: int
    tellers: int
    branches: int
    history: int


def sums(state: ShardState) -> Sums:
    """Over all streams of a shard that are there."""
    balances = {name: _total(state, name, "balance") for name in ("account", "teller", "branch")}
    return Sums(
        _total(state, "history", "transfers"),
        balances["account"],
        balances["teller"],
        balances["branch"],
        _total(state, "history", "total"),
    )


def _total(state: ShardState, category: str, field: str) -> int:
    buckets = state.registry.categories[category].buckets
    return sum(int(getattr(slot.state, field)) for bucket in buckets for slot in bucket.values())


def check(found: Sums, transfers: int) -> None:
    """Raises AssertionError where a transfer is missing, or is in one of its streams and not in another."""
    if found.transfers != transfers or len({found.accounts, found.tellers, found.branches, found.history}) != 1:
        raise AssertionError(f"after {transfers} transfers the sums are {found}")


def records(transfers: int, branches: int, seed: int = 9) -> list[bytes]:
    """Records of an input, about 320 bytes each, with all ids set; no command id holds a time."""
    chance = random.Random(seed)
    made: list[bytes] = []
    for _ in range(transfers):
        at = 1 + chance.randrange(branches)
        made.append(
            b'[1,"account","%d:%d","transfer","t%031x","acme","user-%04d","%032x","","00-%032x-%016x-01","",null,null,'
            b'{"teller":"%d:%d","delta":%d}]'
            % (
                at,
                1 + chance.randrange(ACCOUNTS_A_BRANCH),
                chance.getrandbits(124),
                chance.randrange(50),
                chance.getrandbits(128),
                chance.getrandbits(128),
                chance.getrandbits(64),
                at,
                1 + chance.randrange(TELLERS_A_BRANCH),
                chance.randint(-DELTA_MAX, DELTA_MAX),
            )
        )
    return made
