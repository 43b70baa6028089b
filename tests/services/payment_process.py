"""A process that serves payments between ledgers from a directory, to be killed: it says each answer as it has it.

`python -m tests.services.payment_process DIRECTORY RUN` pays from several threads until it is ended.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from random import Random

from domain.banking.account import account
from domain.banking.messages import Deposit, Open, Pay
from shardlog.wiring.embedded import Embedded
from tests.services.bank_process import LEDGERS, SHARDS, application, say, told

THREADS = 3
FUNDS = 100_000
ACCOUNTS = [f"{ledger}:{number}" for ledger in LEDGERS for number in range(2)]
NEVER_OPENED = [f"{ledger}:none" for ledger in LEDGERS]


def fund(engine: Embedded) -> None:
    """Open the accounts and pay in; a second time these are repeats or refusals."""
    for id in ACCOUNTS:
        engine.send(account.stream(id), Open(owner="ann", daily_limit=10**9), command_id=f"open-{id}")
        if engine.read(account.stream(id)).version == 1:
            engine.send(account.stream(id), Deposit(amount=FUNDS), command_id=f"fund-{id}")


def pay_for_ever(engine: Embedded, run: int, thread: int) -> None:
    """Every tenth payment goes to an account that takes nothing."""
    random = Random(run * 100 + thread)
    n = 0
    while True:
        payer = random.choice(ACCOUNTS)
        payee = random.choice([id for id in [*ACCOUNTS, *NEVER_OPENED] if id != payer])
        command_id = f"{run}-{thread}-{n}"
        n += 1
        outcome = engine.send(
            account.stream(payer), Pay(to=payee, amount=random.randrange(1, 9)), command_id=command_id
        )
        say(thread, payer, command_id, *told(outcome))


def serve(directory: Path, run: int) -> None:
    with Embedded(application, directory, shards=SHARDS) as engine:
        fund(engine)
        say("serving")
        threads = [threading.Thread(target=pay_for_ever, args=(engine, run, n), daemon=True) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        threads[0].join()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
