"""The application that is simulated: a bank whose money can be counted.

Transfers stay within a routing key, a ledger; payments go from ledger to ledger by a process manager, which gives back
what the other side refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from shardlog import (
    Aggregate,
    Application,
    Changes,
    Command,
    Context,
    Domain,
    Event,
    Key,
    Meta,
    ProcessManager,
    Projection,
    Recorded,
    RecordedRejection,
    Rejected,
    Row,
    Sends,
    State,
    StreamId,
    Transaction,
    add,
    increment,
    put,
    reject,
    replace,
    update,
)

Cents = Annotated[int, Meta(gt=0)]


class Account(State):
    open: bool = False
    balance: int = 0
    reserved: Mapping[str, int] = {}


class Refused(StrEnum):
    ALREADY_OPEN = "already_open"
    NOT_OPEN = "not_open"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    UNKNOWN_PAYMENT = "unknown_payment"


class AccountCommand(Command): ...


class AccountEvent(Event): ...


class Open(AccountCommand): ...


class Deposit(AccountCommand):
    amount: Cents


class Withdraw(AccountCommand):
    amount: Cents


class Transfer(AccountCommand):
    to: StreamId
    amount: Cents


class Pay(AccountCommand):
    to: StreamId
    amount: Cents


class Receive(AccountCommand):
    payment: str
    source: StreamId
    amount: Cents


class Settle(AccountCommand):
    payment: str


class GiveBack(AccountCommand):
    payment: str
    code: str


class Stumble(AccountCommand):
    """Its decide raises."""


class Opened(AccountEvent): ...


class Deposited(AccountEvent):
    amount: int


class Withdrawn(AccountEvent):
    amount: int


class PaymentStarted(AccountEvent):
    payment: str
    to: str
    amount: int


class PaymentReceived(AccountEvent):
    payment: str
    source: str
    amount: int


class PaymentSettled(AccountEvent):
    payment: str


class PaymentGivenBack(AccountEvent):
    payment: str
    amount: int
    code: str


account = Aggregate(
    "account", initial=Account(), commands=AccountCommand, events=AccountEvent, routing_parts=1, rejects=Refused
)


def _must_be_open(state: Account) -> None:
    if not state.open:
        reject(Refused.NOT_OPEN, "open the account first")


def _must_cover(state: Account, amount: int) -> None:
    _must_be_open(state)
    if state.balance < amount:
        reject(Refused.INSUFFICIENT_FUNDS, f"the balance is {state.balance}, {amount} are needed")


def _must_know(state: Account, payment: str) -> None:
    if payment not in state.reserved:
        reject(Refused.UNKNOWN_PAYMENT, f"no payment {payment} is under way")


@account.decides
def open_account(state: Account, command: Open) -> Opened:
    if state.open:
        reject(Refused.ALREADY_OPEN, "the account is open already")
    return Opened()


@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    _must_be_open(state)
    return Deposited(amount=command.amount)


@account.decides
def withdraw(state: Account, command: Withdraw) -> Withdrawn:
    _must_cover(state, command.amount)
    return Withdrawn(amount=command.amount)


@account.transaction
def transfer(tx: Transaction[Account, AccountEvent], command: Transfer) -> None:
    """The target is credited first, so that a refusal has something to undo."""
    source, target = tx.own, tx.load(account.stream(command.to))
    target.append(deposit(target.state, Deposit(amount=command.amount)))
    source.append(withdraw(source.state, Withdraw(amount=command.amount)))


@account.decides
def pay(state: Account, command: Pay, context: Context) -> PaymentStarted:
    _must_cover(state, command.amount)
    return PaymentStarted(payment=context.new_id(), to=command.to, amount=command.amount)


@account.decides
def receive(state: Account, command: Receive) -> PaymentReceived:
    _must_be_open(state)
    return PaymentReceived(payment=command.payment, source=command.source, amount=command.amount)


@account.decides
def settle(state: Account, command: Settle) -> PaymentSettled:
    _must_know(state, command.payment)
    return PaymentSettled(payment=command.payment)


@account.decides
def give_back(state: Account, command: GiveBack) -> PaymentGivenBack:
    _must_know(state, command.payment)
    amount = state.reserved[command.payment]
    return PaymentGivenBack(payment=command.payment, amount=amount, code=command.code)


@account.decides
def stumble(state: Account, command: Stumble) -> Opened:
    raise ZeroDivisionError("a mistake in the domain")


@account.evolves
def opened(state: Account, event: Opened) -> Account:
    return replace(state, open=True)


@account.evolves
def credited(state: Account, event: Deposited | PaymentReceived) -> Account:
    return replace(state, balance=state.balance + event.amount)


@account.evolves
def withdrawn(state: Account, event: Withdrawn) -> Account:
    return replace(state, balance=state.balance - event.amount)


@account.evolves
def payment_started(state: Account, event: PaymentStarted) -> Account:
    reserved = {**state.reserved, event.payment: event.amount}
    return replace(state, balance=state.balance - event.amount, reserved=reserved)


@account.evolves
def payment_settled(state: Account, event: PaymentSettled) -> Account:
    return replace(state, reserved=_without(state, event.payment))


@account.evolves
def payment_given_back(state: Account, event: PaymentGivenBack) -> Account:
    return replace(state, balance=state.balance + event.amount, reserved=_without(state, event.payment))


def _without(state: Account, payment: str) -> Mapping[str, int]:
    return {known: amount for known, amount in state.reserved.items() if known != payment}


payments = ProcessManager("payments")


@payments.on
def deliver(event: PaymentStarted, recorded: Recorded) -> Sends:
    return account.send(event.to, Receive(payment=event.payment, source=recorded.id, amount=event.amount))


@payments.on
def confirm(event: PaymentReceived, recorded: Recorded) -> Sends:
    return account.send(event.source, Settle(payment=event.payment))


@payments.on_rejected
def compensate(rejected: Rejected[Receive]) -> Sends:
    payment = rejected.command
    return account.send(payment.source, GiveBack(payment=payment.payment, code=rejected.code))


class Balance(Row, name="balances"):
    account: Key[str]
    balance: int = 0
    movements: int = 0


class Total(Row, name="totals"):
    """Written by events of all shards."""

    kind: Key[str]
    count: int = 0
    amount: int = 0


balances = Projection("balances", rows=[Balance, Total])


@balances.on
def account_opened(event: Opened, recorded: Recorded) -> Changes:
    return put(Balance(account=recorded.id)), increment(Total, "opened", count=1)


@balances.on
def money_in(event: Deposited | PaymentReceived | PaymentGivenBack, recorded: Recorded) -> Changes:
    return (
        update(Balance, recorded.id, balance=add(event.amount), movements=add(1)),
        increment(Total, "in", count=1, amount=event.amount),
    )


@balances.on
def money_out(event: Withdrawn | PaymentStarted, recorded: Recorded) -> Changes:
    return (
        update(Balance, recorded.id, balance=add(-event.amount), movements=add(1)),
        increment(Total, "out", count=1, amount=event.amount),
    )


@balances.on_rejected
def refused(rejection: RecordedRejection, recorded: Recorded) -> Changes:
    return increment(Total, rejection.code, count=1)


bank = Application([Domain("bank", aggregates=[account], process_managers=[payments])], [balances])
