"""Frames on their way, and what is told and recorded of them."""

from __future__ import annotations

from shardlog import CommandAccepted, Outcome
from shardlog.journal.reader import ClaimTaken, Reader
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import JOURNAL, Served


def pend(served: Served, count: int = 1, first: int = 0) -> list[int]:
    """Frames on their way, one deposit of 1 each; their tickets."""
    tickets = []
    for n in range(first, first + count):
        tickets.append(served.submit("a:1", Deposit(amount=1), command_id=f"p-{n}"))
        served.step()
    return tickets


def code(outcome: Outcome) -> str:
    return "accepted" if isinstance(outcome, CommandAccepted) else outcome.code


def claims(served: Served) -> list[int]:
    """The epochs of valid claims."""
    reader = Reader(JOURNAL, served.number, served.shards)
    verdicts = [reader.pass_over(offset, found) for offset, found in served.journal.read(served.number, 0)]
    return [verdict.epoch for verdict in verdicts if isinstance(verdict, ClaimTaken)]
