"""What each account holds, and what each ledger holds in all. Amounts in cents."""

from __future__ import annotations

from domain.banking.messages import (
    Closed,
    Deposited,
    Opened,
    PaymentReceived,
    PaymentReturned,
    PaymentSettled,
    PaymentStarted,
    TransferReceived,
    TransferSent,
    Withdrawn,
)
from shardlog import Changes, Index, Join, Key, Projection, Recorded, Row, add, increment, put, update


class AccountBalance(Row, name="account_balances"):
    """What each account holds, in cents.

    in_transit: set aside for payments that have not arrived.
    """

    account: Key[str]
    ledger: Index[str]
    owner: str
    balance: int = 0
    in_transit: int = 0
    closed: bool = False


class LedgerBalance(Row, name="ledger_balances"):
    """Sums over the ledger's accounts, in cents.

    accounts: the open ones.
    """

    ledger: Key[str]
    accounts: int = 0
    balance: int = 0
    in_transit: int = 0


accounts_in_ledgers = Join(
    "accounts_in_ledgers",
    AccountBalance,
    LedgerBalance,
    on=["ledger"],
    left_columns=["account", "ledger", "owner", "balance"],
    right_columns={"ledger_accounts": "accounts", "ledger_balance": "balance"},
    comment="Each account beside its ledger's sums.",
)
balances = Projection("balances", rows=[AccountBalance, LedgerBalance], views=[accounts_in_ledgers])


def ledger_of(account: str) -> str:
    """The ledger in an account's id, `ledger:account`."""
    return account.partition(":")[0]


@balances.on
def opened(event: Opened, recorded: Recorded) -> Changes:
    ledger = ledger_of(recorded.id)
    row = AccountBalance(account=recorded.id, ledger=ledger, owner=event.owner)
    return put(row), increment(LedgerBalance, ledger, accounts=1)


@balances.on
def closed(event: Closed, recorded: Recorded) -> Changes:
    closing = update(AccountBalance, recorded.id, closed=True)
    return closing, increment(LedgerBalance, ledger_of(recorded.id), accounts=-1)


@balances.on
def came_in(event: Deposited | TransferReceived | PaymentReceived, recorded: Recorded) -> Changes:
    return moved(recorded, event.amount)


@balances.on
def went_out(event: Withdrawn | TransferSent, recorded: Recorded) -> Changes:
    return moved(recorded, -event.amount)


@balances.on
def set_aside(event: PaymentStarted, recorded: Recorded) -> Changes:
    return moved(recorded, -event.amount, in_transit=event.amount)


@balances.on
def settled(event: PaymentSettled, recorded: Recorded) -> Changes:
    return moved(recorded, 0, in_transit=-event.amount)


@balances.on
def given_back(event: PaymentReturned, recorded: Recorded) -> Changes:
    return moved(recorded, event.amount, in_transit=-event.amount)


def moved(recorded: Recorded, amount: int, in_transit: int = 0) -> Changes:
    """The same amounts on the account and on its ledger."""
    return (
        update(AccountBalance, recorded.id, balance=add(amount), in_transit=add(in_transit)),
        increment(LedgerBalance, ledger_of(recorded.id), balance=amount, in_transit=in_transit),
    )
