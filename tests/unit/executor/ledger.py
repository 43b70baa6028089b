"""A small ledger to serve: every kind of decision that a shard can meet, the broken ones among them.

`Faulty` breaks handlers from outside, so that code that changed between writing and replay can be played.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from shardlog import (
    Aggregate,
    Application,
    Command,
    Context,
    Domain,
    Event,
    Meta,
    ProcessManager,
    Recorded,
    Rejected,
    Sends,
    State,
    StreamId,
    Transaction,
    reject,
    replace,
)

Cents = Annotated[int, Meta(gt=0, le=10**12)]


class Faulty:
    """What goes wrong now, set by tests. evolve_raises: the text of a note whose evolve raises."""

    evolve_raises: str | None = None
    evolve_returns_nothing: bool = False
    manager_raises: bool = False
    rejection_handler_raises: bool = False


class Account(State):
    balance: int = 0
    reserved: Mapping[str, int] = {}
    notes: int = 0


class Refused(StrEnum):
    INSUFFICIENT_FUNDS = "insufficient_funds"
    UNKNOWN_PAYMENT = "unknown_payment"
    CLOSED_BOOK = "closed_book"


class AccountCommand(Command): ...


class AccountEvent(Event): ...


class Deposit(AccountCommand):
    amount: Cents


class Withdraw(AccountCommand):
    amount: Cents


class Transfer(AccountCommand):
    to: StreamId
    amount: Cents
    audited: bool = False


class Look(AccountCommand):
    """Accepted, and nothing happens."""


class Split(AccountCommand):
    """A deposit in several events."""

    parts: int


class Draw(AccountCommand):
    """What the context gives."""


class Pay(AccountCommand):
    to: StreamId
    amount: Cents
    payment: str


class Receive(AccountCommand):
    source: StreamId
    amount: Cents
    payment: str


class Settle(AccountCommand):
    payment: str


class GiveBack(AccountCommand):
    payment: str
    code: str


class Note(AccountCommand):
    """An event with a text of some length."""

    text: str
    times: int = 1


class Crash(AccountCommand):
    """Its decide does something wrong. how: see `crash`."""

    how: str


class Deposited(AccountEvent):
    amount: int


class Withdrawn(AccountEvent):
    amount: int


class Drawn(AccountEvent):
    ids: tuple[str, ...]
    chance: int
    time_us: int
    occurred_us: int
    version: int
    actor: str
    tenant: str
    correlation_id: str


class PaymentStarted(AccountEvent):
    to: str
    amount: int
    payment: str


class PaymentReceived(AccountEvent):
    source: str
    amount: int
    payment: str


class PaymentEnded(AccountEvent):
    payment: str
    gives_back: bool


class Noted(AccountEvent):
    text: str


class Strict(AccountEvent):
    """Python takes anything for its field, its decoder does not."""

    amount: int


class Unknown(Event):
    """Of no aggregate."""


account = Aggregate(
    "account", initial=Account(), commands=AccountCommand, events=AccountEvent, routing_parts=1, rejects=Refused
)


def must_cover(state: Account, amount: int) -> None:
    if state.balance < amount:
        reject(Refused.INSUFFICIENT_FUNDS, f"the balance is {state.balance}, {amount} are needed")


@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)


@account.decides
def withdraw(state: Account, command: Withdraw) -> Withdrawn:
    must_cover(state, command.amount)
    return Withdrawn(amount=command.amount)


@account.transaction
def transfer(tx: Transaction[Account, AccountEvent], command: Transfer) -> None:
    source, target = tx.own, tx.load(account.stream(command.to))
    target.append(Deposited(amount=command.amount))
    if command.audited:
        tx.load(book.stream(source.id)).append(Written(line=f"{source.id} -> {target.id}"))
    must_cover(source.state, command.amount)
    source.append(Withdrawn(amount=command.amount))


@account.decides
def look(state: Account, command: Look) -> Noted | None:
    return None


@account.decides
def split(state: Account, command: Split) -> tuple[Deposited, ...]:
    return tuple(Deposited(amount=part + 1) for part in range(command.parts))


@account.decides
def draw(state: Account, command: Draw, context: Context) -> Drawn:
    return Drawn(
        ids=(context.new_id(), context.new_id()),
        chance=context.random().randrange(10**9),
        time_us=int(context.time.timestamp() * 1_000_000),
        occurred_us=int(context.occurred_at.timestamp() * 1_000_000),
        version=context.version,
        actor=context.actor,
        tenant=context.tenant,
        correlation_id=context.correlation_id,
    )


@account.decides
def pay(state: Account, command: Pay) -> PaymentStarted:
    must_cover(state, command.amount)
    return PaymentStarted(to=command.to, amount=command.amount, payment=command.payment)


@account.decides
def receive(state: Account, command: Receive) -> PaymentReceived:
    if command.amount == 13:
        reject(Refused.CLOSED_BOOK, "thirteen is not taken")
    return PaymentReceived(source=command.source, amount=command.amount, payment=command.payment)


@account.decides
def settle(state: Account, command: Settle) -> PaymentEnded:
    return ended(state, command.payment, gives_back=False)


@account.decides
def give_back(state: Account, command: GiveBack) -> PaymentEnded:
    return ended(state, command.payment, gives_back=True)


def ended(state: Account, payment: str, gives_back: bool) -> PaymentEnded:
    if payment not in state.reserved:
        reject(Refused.UNKNOWN_PAYMENT, f"no payment {payment} is under way")
    return PaymentEnded(payment=payment, gives_back=gives_back)


@account.decides
def note(state: Account, command: Note) -> tuple[Noted, ...]:
    return tuple(Noted(text=command.text) for _ in range(command.times))


class Unprintable(Exception):
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@account.decides
def crash(state: Account, command: Crash) -> Deposited | Strict:
    how = command.how
    if how == "raises":
        raise ZeroDivisionError("a mistake in the domain")
    if how == "unprintable":
        raise Unprintable
    if how == "surrogate":
        raise ValueError("half a character: \ud800")
    if how == "returns nothing":
        return None  # type: ignore[return-value]  # the mistake that is played
    if how == "returns text":
        return "deposited"  # type: ignore[return-value]  # the mistake that is played
    if how == "unknown event":
        return Unknown()  # type: ignore[return-value]  # the mistake that is played
    if how == "unreadable event":
        return Strict(amount="five")  # type: ignore[arg-type]  # the mistake that is played
    if how == "rejects with a number":
        reject("odd", 42)  # type: ignore[arg-type]  # the mistake that is played
    if how == "recursion":
        return crash(state, command)
    raise AssertionError(f"no such mistake: {how}")


@account.evolves
def moved_in(state: Account, event: Deposited | PaymentReceived) -> Account:
    return replace(state, balance=state.balance + event.amount)


@account.evolves
def moved_out(state: Account, event: Withdrawn) -> Account:
    return replace(state, balance=state.balance - event.amount)


@account.evolves
def payment_started(state: Account, event: PaymentStarted) -> Account:
    reserved = {**state.reserved, event.payment: event.amount}
    return replace(state, balance=state.balance - event.amount, reserved=reserved)


@account.evolves
def payment_ended(state: Account, event: PaymentEnded) -> Account:
    back = state.reserved[event.payment] if event.gives_back else 0
    reserved = {payment: amount for payment, amount in state.reserved.items() if payment != event.payment}
    return replace(state, balance=state.balance + back, reserved=reserved)


@account.evolves
def noted(state: Account, event: Noted) -> Account:
    if event.text == Faulty.evolve_raises:
        raise ArithmeticError("evolve does not take this note")
    if Faulty.evolve_returns_nothing:
        return None  # type: ignore[return-value]  # the mistake that is played
    return replace(state, notes=state.notes + 1)


@account.evolves
def unchanged(state: Account, event: Drawn | Strict) -> Account:
    return state


class Book(State):
    lines: int = 0


class BookCommand(Command): ...


class BookEvent(Event): ...


class Write(BookCommand):
    line: str


class Written(BookEvent):
    line: str


book = Aggregate("book", initial=Book(), commands=BookCommand, events=BookEvent, routing_parts=1)


@book.decides
def write(state: Book, command: Write) -> Written:
    return Written(line=command.line)


@book.evolves
def written(state: Book, event: Written) -> Book:
    return replace(state, lines=state.lines + 1)


payments = ProcessManager("payments")


@payments.on
def deliver(event: PaymentStarted, recorded: Recorded) -> Sends:
    if Faulty.manager_raises:
        raise RuntimeError("a mistake in the process manager")
    return account.send(event.to, Receive(source=recorded.id, amount=event.amount, payment=event.payment))


@payments.on
def confirm(event: PaymentReceived, recorded: Recorded) -> Sends:
    return account.send(event.source, Settle(payment=event.payment))


@payments.on
def look_twice(event: Written, recorded: Recorded) -> Sends:
    return [account.send(event.line, Look()) for _ in range(2)] if event.line.startswith("twice") else None


@payments.on_rejected
def compensate(rejected: Rejected[Receive]) -> Sends:
    if Faulty.rejection_handler_raises:
        raise RuntimeError("a mistake in the process manager")
    payment = rejected.command
    return account.send(payment.source, GiveBack(payment=payment.payment, code=rejected.code))


ledger = Application([Domain("ledger", aggregates=[account, book], process_managers=[payments])])
