"""Banking: transfers within a routing key by a transaction, between routing keys by a process manager."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from shardlog import (
    Aggregate,
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
    ACCOUNT_NOT_OPEN = "account_not_open"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    UNKNOWN_PAYMENT = "unknown_payment"


class AccountCommand(Command): ...


class AccountEvent(Event): ...


class Open(AccountCommand):
    owner: str


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


class ReceivePayment(AccountCommand):
    payment: str
    source: StreamId
    amount: Cents


class SettlePayment(AccountCommand):
    payment: str


class CancelPayment(AccountCommand):
    payment: str
    reason: str


class Opened(AccountEvent):
    owner: str


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


class PaymentCancelled(AccountEvent):
    payment: str
    reason: str


account = Aggregate(
    "account", initial=Account(), commands=AccountCommand, events=AccountEvent, routing_parts=1, rejects=Refused
)


def must_be_open(state: Account) -> None:
    if not state.open:
        reject(Refused.ACCOUNT_NOT_OPEN, "open the account first")


def must_cover(state: Account, amount: int) -> None:
    if state.balance < amount:
        reject(Refused.INSUFFICIENT_FUNDS, f"the balance is {state.balance}, {amount} are needed")


@account.decides
def open_account(state: Account, command: Open) -> Opened:
    if state.open:
        reject(Refused.ALREADY_OPEN, "the account is open already")
    return Opened(owner=command.owner)


@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    must_be_open(state)
    return Deposited(amount=command.amount)


@account.decides
def withdraw(state: Account, command: Withdraw) -> Withdrawn:
    must_be_open(state)
    must_cover(state, command.amount)
    return Withdrawn(amount=command.amount)


@account.transaction
def transfer(tx: Transaction[Account, AccountEvent], command: Transfer) -> None:
    source, target = tx.own, tx.load(account.stream(command.to))
    source.append(withdraw(source.state, Withdraw(amount=command.amount)))
    target.append(deposit(target.state, Deposit(amount=command.amount)))


@account.decides
def pay(state: Account, command: Pay, context: Context) -> PaymentStarted:
    must_be_open(state)
    must_cover(state, command.amount)
    return PaymentStarted(payment=context.new_id(), to=command.to, amount=command.amount)


@account.decides
def receive_payment(state: Account, command: ReceivePayment) -> PaymentReceived:
    must_be_open(state)
    return PaymentReceived(payment=command.payment, source=command.source, amount=command.amount)


@account.decides
def settle_payment(state: Account, command: SettlePayment) -> PaymentSettled:
    must_know(state, command.payment)
    return PaymentSettled(payment=command.payment)


@account.decides
def cancel_payment(state: Account, command: CancelPayment) -> PaymentCancelled:
    must_know(state, command.payment)
    return PaymentCancelled(payment=command.payment, reason=command.reason)


def must_know(state: Account, payment: str) -> None:
    if payment not in state.reserved:
        reject(Refused.UNKNOWN_PAYMENT, f"no payment {payment} is under way")


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
    return replace(
        state, balance=state.balance - event.amount, reserved={**state.reserved, event.payment: event.amount}
    )


@account.evolves
def payment_settled(state: Account, event: PaymentSettled) -> Account:
    return replace(state, reserved={k: v for k, v in state.reserved.items() if k != event.payment})


@account.evolves
def payment_cancelled(state: Account, event: PaymentCancelled) -> Account:
    back = state.reserved[event.payment]
    return replace(
        state, balance=state.balance + back, reserved={k: v for k, v in state.reserved.items() if k != event.payment}
    )


payments = ProcessManager("payments")


@payments.on
def deliver(event: PaymentStarted, recorded: Recorded) -> Sends:
    return account.send(event.to, ReceivePayment(payment=event.payment, source=recorded.id, amount=event.amount))


@payments.on
def confirm(event: PaymentReceived, recorded: Recorded) -> Sends:
    return account.send(event.source, SettlePayment(payment=event.payment))


@payments.on_rejected
def give_back(rejected: Rejected[ReceivePayment]) -> Sends:
    payment = rejected.command
    return account.send(payment.source, CancelPayment(payment=payment.payment, reason=rejected.code))


class Balance(Row, name="balances"):
    account: Key[str]
    owner: str
    balance: int = 0


balances = Projection("balances", rows=[Balance])


@balances.on
def balance_opened(event: Opened, recorded: Recorded) -> Changes:
    return put(Balance(account=recorded.id, owner=event.owner))


@balances.on
def balance_up(event: Deposited | PaymentReceived, recorded: Recorded) -> Changes:
    return update(Balance, recorded.id, balance=add(event.amount))


@balances.on
def balance_down(event: Withdrawn | PaymentStarted, recorded: Recorded) -> Changes:
    return update(Balance, recorded.id, balance=add(-event.amount))


class Refusal(Row, name="refusals"):
    category: Key[str]
    code: Key[str]
    count: int = 0


refusals = Projection("refusals", rows=[Refusal])


@refusals.on_rejected
def count_refusal(rejection: RecordedRejection, recorded: Recorded) -> Changes:
    return increment(Refusal, rejection.category, rejection.code, count=1)


bank = Domain("bank", aggregates=[account], process_managers=[payments])
