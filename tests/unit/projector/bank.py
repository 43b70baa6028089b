"""A small application to project: accounts with deposits, and a handler that can be broken from outside."""

from __future__ import annotations

from shardlog import (
    Aggregate,
    Application,
    Changes,
    Command,
    Domain,
    Event,
    Key,
    Projection,
    Recorded,
    RecordedRejection,
    Row,
    State,
    add,
    increment,
    put,
    remove,
    replace,
    update,
)
from shardlog.model.projection import OnFailure


class Account(State):
    balance: int = 0


class AccountCommand(Command): ...


class AccountEvent(Event): ...


class Deposit(AccountCommand):
    amount: int


class Opened(AccountEvent):
    owner: str


class Deposited(AccountEvent):
    amount: int


class Closed(AccountEvent): ...


class Noted(AccountEvent):
    """Heard by nobody."""

    text: str


class Paid(Event, version=1):
    """Of old: now a deposit, or several."""

    amounts: tuple[int, ...]


account = Aggregate("account", initial=Account(), commands=AccountCommand, events=AccountEvent, routing_parts=1)


@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    return Deposited(amount=command.amount)


@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    return replace(state, balance=state.balance + event.amount)


account.ignores(Opened, Closed, Noted)


@account.upcasts
def paid(old: Paid) -> tuple[Deposited, ...]:
    return tuple(Deposited(amount=amount) for amount in old.amounts)


class Balance(Row, name="balances"):
    account: Key[str]
    owner: str
    balance: int = 0
    deposits: int = 0


class Total(Row, name="totals"):
    """Counted by all shards."""

    kind: Key[str]
    events: int = 0
    amount: int = 0


class Other(Row, name="others"):
    kind: Key[str]


class Broken:
    """What is wrong with the handlers of this test."""

    def __init__(self) -> None:
        self.raises_for: set[int] = set()
        self.misfits_for: set[int] = set()
        self.strange_for: dict[int, object] = {}


def bank(
    broken: Broken | None = None, version: int = 1, on_failure: OnFailure = "park"
) -> tuple[Application, Projection]:
    """An application and its projection."""
    wrong = broken or Broken()
    balances = Projection("balances", rows=[Balance, Total], version=version, on_failure=on_failure)

    @balances.on
    def on_opened(event: Opened, recorded: Recorded) -> Changes:
        return put(Balance(account=recorded.id, owner=event.owner)), increment(Total, "opened", events=1)

    @balances.on
    def on_deposited(event: Deposited, recorded: Recorded) -> Changes:
        if event.amount in wrong.raises_for:
            raise ValueError(f"an amount of {event.amount}")
        if event.amount in wrong.strange_for:
            return wrong.strange_for[event.amount]  # type: ignore[return-value]  # what a handler should not return
        amount = "many" if event.amount in wrong.misfits_for else event.amount
        return [
            increment(Total, "deposited", events=1, amount=event.amount),
            update(Balance, recorded.id, balance=add(amount), deposits=add(1)),  # type: ignore[arg-type]  # a misfit
        ]

    @balances.on
    def on_closed(event: Closed, recorded: Recorded) -> Changes:
        return remove(Balance, recorded.id)

    @balances.on_rejected
    def on_rejected(rejection: RecordedRejection, recorded: Recorded) -> Changes:
        return increment(Total, rejection.code, events=1)

    return Application([Domain("bank", aggregates=[account])], [balances]), balances


def counters(name: str = "counters") -> Projection:
    """A projection of increments alone."""
    projection = Projection(name, rows=[Total])

    @projection.on
    def on_deposited(event: Deposited, recorded: Recorded) -> Changes:
        return increment(Total, "deposited", events=1, amount=event.amount)

    return projection
