"""What may be asked of an account, and what may happen to one. Amounts are whole cents."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from shardlog import Command, Event, Meta, StreamId

AMOUNT_MAX_CENTS = 10**12
DAILY_LIMIT_DEFAULT_CENTS = 500_000

Cents = Annotated[int, Meta(gt=0, le=AMOUNT_MAX_CENTS)]
Owner = Annotated[str, Meta(min_length=1, max_length=100)]
PaymentId = Annotated[str, Meta(min_length=1, max_length=64)]


class AccountCommand(Command): ...


class Open(AccountCommand):
    """daily_limit: what may leave the account in a day."""

    owner: Owner
    daily_limit: Cents = DAILY_LIMIT_DEFAULT_CENTS


class ChangeDailyLimit(AccountCommand):
    daily_limit: Cents


class Deposit(AccountCommand):
    amount: Cents


class Withdraw(AccountCommand):
    amount: Cents


class Close(AccountCommand):
    """Only an empty account can be closed, and it stays closed."""


class Transfer(AccountCommand):
    """To another account of the same ledger: both or neither."""

    to: StreamId
    amount: Cents


class Pay(AccountCommand):
    """To an account of any ledger: at first the amount is set aside."""

    to: StreamId
    amount: Cents


class ReceivePayment(AccountCommand):
    """From the payments process."""

    payment: PaymentId
    source: StreamId
    amount: Cents


class SettlePayment(AccountCommand):
    """From the payments process: what was set aside has arrived."""

    payment: PaymentId


class ReturnPayment(AccountCommand):
    """From the payments process: what was set aside was refused. reason: the code of the refusal."""

    payment: PaymentId
    reason: str


class AccountEvent(Event): ...


class Opened(AccountEvent):
    owner: str
    daily_limit: int


class DailyLimitChanged(AccountEvent):
    daily_limit: int


class Deposited(AccountEvent):
    amount: int


class Closed(AccountEvent): ...


class MoneyOut(AccountEvent):
    """What leaves an account. day: in UTC, the one that it counts for."""

    amount: int
    day: date


class Withdrawn(MoneyOut): ...


class TransferSent(MoneyOut):
    to: str


class TransferReceived(AccountEvent):
    amount: int
    source: str


class PaymentStarted(MoneyOut):
    payment: str
    to: str


class PaymentReceived(AccountEvent):
    payment: str
    source: str
    amount: int


class PaymentSettled(AccountEvent):
    payment: str
    amount: int


class PaymentReturned(AccountEvent):
    payment: str
    amount: int
    reason: str
