"""Accounts that the tests of this folder share."""

from __future__ import annotations

from domain.banking import account
from domain.banking.messages import AccountEvent, Deposited, Opened
from shardlog.testing.kit import START

TODAY = START.date()
ADA, BOB = account.stream("acme:ada"), account.stream("acme:bob")
EVE = account.stream("far:eve")


def opened(owner: str = "Ada", daily_limit: int = 1_000) -> Opened:
    """With a limit of ten in the currency, so that it can be met."""
    return Opened(owner=owner, daily_limit=daily_limit)


def holding(amount: int, daily_limit: int = 1_000) -> tuple[AccountEvent, AccountEvent]:
    """The past of an open account that holds so many cents."""
    return opened(daily_limit=daily_limit), Deposited(amount=amount)
