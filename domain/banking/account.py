"""An account of a ledger: what it holds, and the rules that nothing gets past.

Stream id: `ledger:account`; the ledger chooses the shard, so that transfers within a ledger are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from domain.banking.messages import (
    AccountCommand,
    AccountEvent,
    ChangeDailyLimit,
    Close,
    Closed,
    DailyLimitChanged,
    Deposit,
    Deposited,
    MoneyOut,
    Open,
    Opened,
    Withdraw,
    Withdrawn,
)
from shardlog import Aggregate, Context, State, reject, replace


class Status(StrEnum):
    """Where an account stands in its life, which goes one way."""

    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"


class Account(State):
    """Amounts in cents. reserved: payments under way, by id. spent: what left the account on the day `spent_on`."""

    status: Status = Status.NEW
    balance: int = 0
    reserved: Mapping[str, int] = {}
    daily_limit: int = 0
    spent_on: date = date.min
    spent: int = 0


class Refused(StrEnum):
    ALREADY_OPENED = "already_opened"
    ACCOUNT_NOT_OPEN = "account_not_open"
    ACCOUNT_NOT_EMPTY = "account_not_empty"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    DAILY_LIMIT_EXCEEDED = "daily_limit_exceeded"
    SAME_ACCOUNT = "same_account"
    UNKNOWN_PAYMENT = "unknown_payment"


account = Aggregate(
    "account", initial=Account(), commands=AccountCommand, events=AccountEvent, routing_parts=1, rejects=Refused
)


@account.decides
def open_account(state: Account, command: Open) -> Opened:
    if state.status is not Status.NEW:
        reject(Refused.ALREADY_OPENED, f"the account is {state.status}: an id is used once, choose another")
    return Opened(owner=command.owner, daily_limit=command.daily_limit)


@account.decides
def change_daily_limit(state: Account, command: ChangeDailyLimit) -> DailyLimitChanged | None:
    must_be_open(state)
    if command.daily_limit == state.daily_limit:
        return None
    return DailyLimitChanged(daily_limit=command.daily_limit)


@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    must_be_open(state)
    return Deposited(amount=command.amount)


@account.decides
def withdraw(state: Account, command: Withdraw, context: Context) -> Withdrawn:
    return Withdrawn(amount=command.amount, day=spend(state, command.amount, context))


@account.decides
def close(state: Account, command: Close) -> Closed:
    must_be_open(state)
    if state.balance or state.reserved:
        reject(
            Refused.ACCOUNT_NOT_EMPTY,
            f"it holds {state.balance} cents and has {len(state.reserved)} payment(s) under way: empty it first",
        )
    return Closed()


def must_be_open(state: Account) -> None:
    """Refuse whatever needs an open account."""
    if state.status is not Status.OPEN:
        reject(Refused.ACCOUNT_NOT_OPEN, f"the account is {state.status}, and only an open one takes part")


def spend(state: Account, amount: int, context: Context) -> date:
    """The day that an outgoing amount counts for. Refuses it where balance or daily limit do not allow it.

    The day is that of the shard's own clock, not of when the caller says that it occurred: a limit that goes by the
    caller's calendar is none.
    """
    must_be_open(state)
    if amount > state.balance:
        reject(Refused.INSUFFICIENT_FUNDS, f"the balance is {state.balance} cents, {amount} are needed")
    day = context.time.date()
    spent = state.spent if day == state.spent_on else 0
    if spent + amount > state.daily_limit:
        reject(
            Refused.DAILY_LIMIT_EXCEEDED,
            f"the limit is {state.daily_limit} cents a day, {spent} have left on {day}, and {amount} more are too "
            "many: wait for tomorrow or change the limit",
        )
    return day


def paid_out(state: Account, event: MoneyOut) -> Account:
    """The account after money left it."""
    spent = state.spent if event.day == state.spent_on else 0
    return replace(state, balance=state.balance - event.amount, spent_on=event.day, spent=spent + event.amount)


@account.evolves
def opened(state: Account, event: Opened) -> Account:
    return replace(state, status=Status.OPEN, daily_limit=event.daily_limit)


@account.evolves
def daily_limit_changed(state: Account, event: DailyLimitChanged) -> Account:
    return replace(state, daily_limit=event.daily_limit)


@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)


@account.evolves
def withdrawn(state: Account, event: Withdrawn) -> Account:
    return paid_out(state, event)


@account.evolves
def closed(state: Account, event: Closed) -> Account:
    return replace(state, status=Status.CLOSED)
