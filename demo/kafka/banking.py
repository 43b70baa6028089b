"""Banking beside the flights: accounts of many ledgers that pay each other, and what their tables must hold at the end.

Where an amount ends depends on which shard is ahead: a payment to an account that is not open yet is given back. So
what is known beforehand is held against the tables: no amount is lost or made, none stays under way, and each ledger
holds what its accounts do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from demo.querying import reading
from domain.banking import account
from domain.banking.messages import AccountCommand, Deposit, Open, Pay, Transfer, Withdraw
from shardlog.client.commands import command_record
from shardlog.wiring.stores import ProjectionDatabase

LEDGERS = 40
ACCOUNTS_A_LEDGER = 25
COMMANDS_AN_ACCOUNT = 20
SENDS_A_PAYMENT = 2
"""To the other account, and back: that it has arrived, or that it was refused."""
START_CENTS = 10_000_000
AMOUNT_CENTS_MAX = 1_000
COMMANDS_NAMESPACE = uuid5(NAMESPACE_OID, "commands of the demo's accounts")
_encode = msgspec.json.Encoder().encode


class Banking(NamedTuple):
    """The commands of a run, in an order in which each account's stand behind each other, and what they come to.

    records: routing key and record of each. entries: they have in the frames, what payments send among them.
    """

    records: list[tuple[str, bytes]]
    entries: int
    cents: int


def banking_commands() -> Banking:
    """Always the same ones: accounts are opened and filled, then pay, transfer, deposit and withdraw by turns."""
    chance = random.Random(2013)  # noqa: S311  # a demonstration
    names = [f"ledger-{ledger:02}:{number:03}" for ledger in range(LEDGERS) for number in range(ACCOUNTS_A_LEDGER)]
    commands: list[tuple[str, AccountCommand]] = []
    for name in names:
        commands.append((name, Open(owner=f"owner of {name}", daily_limit=START_CENTS)))
        commands.append((name, Deposit(amount=START_CENTS)))
    commands += [(name, _command(chance, names, name)) for _ in range(COMMANDS_AN_ACCOUNT) for name in names]
    cents = sum(_brought(command) for _, command in commands)
    payments = sum(isinstance(command, Pay) for _, command in commands)
    return Banking(list(_records(commands)), len(commands) + SENDS_A_PAYMENT * payments, cents)


def _command(chance: random.Random, names: list[str], name: str) -> AccountCommand:
    amount = chance.randint(1, AMOUNT_CENTS_MAX)
    ledger = name.partition(":")[0]
    match chance.randrange(4):
        case 0:
            return Deposit(amount=amount)
        case 1:
            return Withdraw(amount=amount)
        case 2:
            return Transfer(
                to=_other(chance, [found for found in names if found.startswith(ledger)], name), amount=amount
            )
        case _:
            return Pay(to=_other(chance, names, name), amount=amount)


def _other(chance: random.Random, names: list[str], name: str) -> str:
    found = chance.choice(names)
    return found if found != name else _other(chance, names, name)


def _brought(command: AccountCommand) -> int:
    """Cents that come from outside, less those that leave."""
    if isinstance(command, Deposit):
        return command.amount
    return -command.amount if isinstance(command, Withdraw) else 0


def _records(commands: list[tuple[str, AccountCommand]]) -> Iterator[tuple[str, bytes]]:
    for number, (name, command) in enumerate(commands):
        id: UUID = uuid5(COMMANDS_NAMESPACE, str(number))
        record = command_record(account.stream(name), command, 0, {"command_id": id, "actor": "demo"})
        yield name.partition(":")[0], _encode(record)


def banking_differences(database: ProjectionDatabase, banking: Banking) -> list[str]:
    """How the tables of banking differ from what is known beforehand, as text, a line each."""
    with reading(database) as tables:
        ((accounts, balance, in_transit),) = tables.rows(
            "SELECT count(*), sum(balance), sum(in_transit) FROM account_balances"
        )
        ledgers = tables.rows("SELECT ledger, accounts, balance, in_transit FROM ledger_balances ORDER BY ledger")
        summed = tables.rows(
            "SELECT ledger, count(*), sum(balance), sum(in_transit) FROM account_balances "
            "GROUP BY ledger ORDER BY ledger"
        )
    wanted = (LEDGERS * ACCOUNTS_A_LEDGER, banking.cents, 0)
    differences = [
        f"account_balances: {name} is {found}, expected {right}"
        for name, found, right in zip(
            ("count", "balance", "in_transit"), (accounts, balance, in_transit), wanted, strict=True
        )
        if found != right
    ]
    differences += [
        f"ledger_balances: {held}, and the accounts give {right}"
        for held, right in zip(ledgers, summed, strict=False)
        if held != right
    ]
    if len(ledgers) != LEDGERS:
        differences.append(f"ledger_balances: {len(ledgers)} rows, expected {LEDGERS}")
    return differences
