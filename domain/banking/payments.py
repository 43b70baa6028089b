"""Payments between ledgers, which may be of different shards: set aside, received, settled; given back if refused.

The process manager keeps nothing itself. What a payment must remember is set aside in the paying account, so that the
sum over balances and what is under way never changes.
"""

from __future__ import annotations

from domain.banking.account import Account, Refused, account, must_be_open, paid_out, spend
from domain.banking.messages import (
    Pay,
    PaymentReceived,
    PaymentReturned,
    PaymentSettled,
    PaymentStarted,
    ReceivePayment,
    ReturnPayment,
    SettlePayment,
)
from shardlog import Context, ProcessManager, Recorded, Rejected, Sends, reject, replace

payments = ProcessManager("payments")


@account.decides
def pay(state: Account, command: Pay, context: Context) -> PaymentStarted:
    if command.to == context.id:
        reject(Refused.SAME_ACCOUNT, f"{command.to} cannot pay itself: name another account")
    day = spend(state, command.amount, context)
    return PaymentStarted(payment=context.new_id(), to=command.to, amount=command.amount, day=day)


@payments.on
def deliver(event: PaymentStarted, recorded: Recorded) -> Sends:
    return account.send(event.to, ReceivePayment(payment=event.payment, source=recorded.id, amount=event.amount))


@account.decides
def receive_payment(state: Account, command: ReceivePayment) -> PaymentReceived:
    must_be_open(state)
    return PaymentReceived(payment=command.payment, source=command.source, amount=command.amount)


@payments.on
def confirm(event: PaymentReceived, recorded: Recorded) -> Sends:
    return account.send(event.source, SettlePayment(payment=event.payment))


@payments.on_rejected
def give_back(rejected: Rejected[ReceivePayment]) -> Sends:
    payment = rejected.command
    return account.send(payment.source, ReturnPayment(payment=payment.payment, reason=rejected.code))


@account.decides
def settle_payment(state: Account, command: SettlePayment) -> PaymentSettled:
    return PaymentSettled(payment=command.payment, amount=amount_under_way(state, command.payment))


@account.decides
def return_payment(state: Account, command: ReturnPayment) -> PaymentReturned:
    amount = amount_under_way(state, command.payment)
    return PaymentReturned(payment=command.payment, amount=amount, reason=command.reason)


def amount_under_way(state: Account, payment: str) -> int:
    """What was set aside for a payment, in cents; refuses one that is not under way."""
    amount = state.reserved.get(payment)
    if amount is None:
        reject(Refused.UNKNOWN_PAYMENT, f"no payment {payment} is under way from this account")
    return amount


@account.evolves
def payment_started(state: Account, event: PaymentStarted) -> Account:
    return replace(paid_out(state, event), reserved={**state.reserved, event.payment: event.amount})


@account.evolves
def payment_received(state: Account, event: PaymentReceived) -> Account:
    return replace(state, balance=state.balance + event.amount)


@account.evolves
def payment_settled(state: Account, event: PaymentSettled) -> Account:
    return replace(state, reserved=without(state, event.payment))


@account.evolves
def payment_returned(state: Account, event: PaymentReturned) -> Account:
    return replace(state, balance=state.balance + event.amount, reserved=without(state, event.payment))


def without(state: Account, payment: str) -> dict[str, int]:
    """What is set aside for the other payments."""
    return {other: amount for other, amount in state.reserved.items() if other != payment}
