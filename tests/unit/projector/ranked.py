"""A projection that wants SQL: the highest deposits of each routing key, kept beside rows of the usual kind."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum

from sqlalchemy import delete, func, insert, select

from shardlog import Application, AwareDatetime, Batch, Changes, Domain, Key, Projection, Recorded, Row, increment, put
from tests.unit.projector.bank import Closed, Deposited, Opened, account

TOP = 2


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Held(Row, name="held"):
    """What each account holds."""

    account: Key[str]
    ledger: str = ""
    balance: int = 0


class Top(Row, name="top"):
    """The highest balances of each ledger, of what is held behind each batch."""

    ledger: Key[str]
    place: Key[int]
    account: str
    balance: int


class Seen(Row, name="seen"):
    """Each deposit, in values of many kinds."""

    account: Key[str]
    version: Key[int]
    at: AwareDatetime
    day: date
    size: Size
    amount: Decimal
    is_first: bool
    parts: tuple[int, ...]
    note: str | None = None


class Wrong:
    """What is wrong with the handlers of this test. raises_for: an amount that raises this."""

    def __init__(self) -> None:
        self.raises_for: dict[int, Exception] = {}
        self.sql_for: dict[int, str] = {}
        self.batches: list[list[int]] = []


def ledger_of(id: str) -> str:
    return id.partition(":")[0]


def ranked(wrong: Wrong | None = None, version: int = 1) -> tuple[Application, Projection]:
    """An application and its projection."""
    broken = wrong or Wrong()
    tops = Projection("tops", rows=[Held, Top, Seen], version=version)

    @tops.on
    def on_opened(event: Opened, recorded: Recorded) -> Changes:
        return put(Held(account=recorded.id, ledger=ledger_of(recorded.id)))

    @tops.on
    def on_deposited(event: Deposited, recorded: Recorded) -> Changes:
        return increment(Held, recorded.id, balance=event.amount)

    @tops.batch
    def see(batch: Batch[Deposited]) -> None:
        broken.batches.append([event.amount for event, _ in batch.events])
        for event, _ in batch.events:
            if event.amount in broken.raises_for:
                raise broken.raises_for[event.amount]
            if event.amount in broken.sql_for:
                batch.connection.exec_driver_sql(broken.sql_for[event.amount])
        seen = [
            {
                "account": recorded.id,
                "version": recorded.version,
                "at": recorded.occurred_at,
                "day": recorded.occurred_at.date(),
                "size": Size.LARGE if event.amount > 100 else Size.SMALL,
                "amount": Decimal(event.amount) / 100,
                "is_first": recorded.version == 1,
                "parts": (event.amount, 1),
            }
            for event, recorded in batch.events
        ]
        batch.connection.execute(insert(batch.table(Seen)), seen)

    @tops.batch
    def rank(batch: Batch[Opened | Deposited | Closed]) -> None:
        held, top = batch.table(Held), batch.table(Top)
        for ledger in sorted({ledger_of(recorded.id) for _, recorded in batch.events}):
            batch.connection.execute(delete(top).where(top.c.ledger == ledger))
            place = func.row_number().over(order_by=(held.c.balance.desc(), held.c.account))
            highest = select(held.c.ledger, place, held.c.account, held.c.balance).where(held.c.ledger == ledger)
            ordered = highest.order_by(held.c.balance.desc(), held.c.account).limit(TOP)
            batch.connection.execute(insert(top).from_select(["ledger", "place", "account", "balance"], ordered))

    return Application([Domain("bank", aggregates=[account])], [tops]), tops
