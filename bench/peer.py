"""The peer: the same deposits by the library `eventsourcing` on SQLite. Load, decide, save, one command at a time."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event


class Account(Aggregate):
    """A balance in cents."""

    @event("Opened")
    def __init__(self) -> None:
        self.balance = 0

    def deposit(self, amount: int) -> None:
        """Pay in."""
        self._deposited(amount)

    @event("Deposited")
    def _deposited(self, amount: int) -> None:
        self.balance += amount


class Bank(Application[UUID]):
    """Accounts by id."""

    def open(self) -> UUID:
        """A new account."""
        account = Account()
        self.save(account)
        return account.id

    def deposit(self, id: UUID, amount: int) -> None:
        """Load, deposit, save: one durable transaction."""
        account: Account = self.repository.get(id)
        account.deposit(amount)
        self.save(account)


def commands_per_s(directory: Path, commands: int, accounts: int = 100) -> float:
    """Deposits a second over these accounts, each with a history of commands / accounts events at the end."""
    database = directory / "peer.sqlite"
    bank = Bank(env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(database)})
    ids = [bank.open() for _ in range(accounts)]
    began = perf_counter()
    for number in range(commands):
        bank.deposit(ids[number % accounts], 1)
    elapsed = perf_counter() - began
    bank.close()
    return commands / elapsed
