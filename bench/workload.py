"""The work of the benchmarks: one account aggregate, deposits of which a tenth are refused withdrawals, made ahead."""

from __future__ import annotations

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from shardlog import Aggregate, Application, Command, Domain, Event, Meta, State, reject, replace

REFUSED_EVERY = 10


class Account(State):
    """A balance in cents."""

    balance: int = 0


class Refused(StrEnum):
    """Why a command is refused."""

    INSUFFICIENT_FUNDS = "insufficient_funds"


class Deposit(Command):
    """Pay in."""

    amount: Annotated[int, Meta(gt=0)]


class Withdraw(Command):
    """Take out."""

    amount: Annotated[int, Meta(gt=0)]


class Deposited(Event):
    """Was paid in."""

    amount: int


class Withdrawn(Event):
    """Was taken out."""

    amount: int


account = Aggregate("account", initial=Account(), rejects=Refused)


@account.decides
def deposit(state: Account, command: Deposit) -> Deposited:
    """Always possible."""
    return Deposited(amount=command.amount)


@account.decides
def withdraw(state: Account, command: Withdraw) -> Withdrawn:
    """Possible up to the balance."""
    if state.balance < command.amount:
        reject(Refused.INSUFFICIENT_FUNDS, "the balance is lower")
    return Withdrawn(amount=command.amount)


@account.evolves
def deposited(state: Account, event: Deposited) -> Account:
    """More."""
    return replace(state, balance=state.balance + event.amount)


@account.evolves
def withdrawn(state: Account, event: Withdrawn) -> Account:
    """Less."""
    return replace(state, balance=state.balance - event.amount)


bank = Domain("bank", aggregates=[account])
application = Application(domains=[bank])


def one_each(streams: Iterable[int]) -> list[bytes]:
    """Records that pay into each of these streams once."""
    return [
        b'[1,"account","account-%07d","deposit","c%031x","acme","user-0000","","","","",null,null,{"amount":%d}]'
        % (stream, stream, 1_000 + stream)
        for stream in streams
    ]


def records(commands: int, streams: int, seed: int = 9) -> list[bytes]:
    """Records of an input: every tenth withdraws more than there is. About 300 bytes each, with all ids set.

    Command ids begin with a letter, so that none looks like one that holds a time.
    """
    chance = random.Random(seed)
    made: list[bytes] = []
    for number in range(commands):
        refused = number % REFUSED_EVERY == REFUSED_EVERY - 1
        name, amount = ("withdraw", 10**9) if refused else ("deposit", chance.randrange(1, 1000))
        made.append(
            b'[1,"account","account-%07d","%s","c%031x","acme","user-%04d","%032x","",'
            b'"00-%032x-%016x-01","",null,null,{"amount":%d}]'
            % (
                chance.randrange(streams),
                name.encode(),
                chance.getrandbits(124),
                chance.randrange(50),
                chance.getrandbits(128),
                chance.getrandbits(128),
                chance.getrandbits(64),
                amount,
            )
        )
    return made
