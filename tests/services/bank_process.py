"""A process that serves the bank from a directory, to be killed: it says each answer on a line as soon as it has it.

`python -m tests.services.bank_process DIRECTORY RUN` sends commands from several threads until it is ended. A line is
a JSON array [thread, stream, command id, accepted or code, version, token]; the first one is "serving".
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from domain.banking import banking
from domain.banking.account import account
from domain.banking.messages import Deposit, Open, Pay, Transfer, Withdraw
from projections.banking import balances
from shardlog import Application, CommandAccepted, CommandUnavailable, Outcome
from shardlog.codec.json import encode
from shardlog.executor.limits import Limits
from shardlog.executor.requests import CommandRecord
from shardlog.ports.inputs import Input
from shardlog.sharding import shard_of
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.wiring.embedded import Embedded

SHARDS = 3
THREADS = 4
FED = 30_000
"""Records of the feeder a shard; more than are taken before the last kill."""
LEDGERS = [next(f"l{n}" for n in range(100) if shard_of(f"l{n}", SHARDS) == shard) for shard in range(SHARDS)]
OFTEN = SnapshotSettings(every_bytes=20_000, every_ms=0, keep=2, share_percent=1)
"""Always one under way, and a slow one."""
application = Application([banking], [balances])


class Fed(Input):
    """Deposits into a few accounts of each shard, the first of them opening them; the same in every process."""

    name = "feeder:services:1"
    accounts = 7

    def __init__(self, records: int = FED) -> None:
        self._records = records

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        end = min(start + limit, self._records)
        return [(offset, self._value(shard, offset)) for offset in range(start, end)]

    def _value(self, shard: int, offset: int) -> bytes:
        id = f"{LEDGERS[shard]}:fed{offset % self.accounts}"
        command = Open(owner="fed") if offset < self.accounts else Deposit(amount=1)
        texts = ("account", id, type(command).__wire_name__, f"fed-{offset}", "", "", "", "", "", "")
        return msgspec.json.encode(CommandRecord(1, *texts, None, None, msgspec.Raw(encode(command))))


def say(*values: object) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


def told(outcome: Outcome) -> tuple[object, ...]:
    if isinstance(outcome, CommandAccepted):
        return "accepted", outcome.version, outcome.token
    return outcome.code, None, None if isinstance(outcome, CommandUnavailable) else outcome.token


def send_for_ever(engine: Embedded, run: int, thread: int, is_ending: threading.Event) -> None:
    random = Random(run * 100 + thread)
    n = 0
    while not is_ending.is_set():
        shard, number = random.randrange(SHARDS), random.randrange(3)
        id, other = f"{LEDGERS[shard]}:{number}", f"{LEDGERS[shard]}:{random.randrange(3)}"
        amount = random.randrange(1, 50)
        command = random.choice(
            [
                Deposit(amount=amount),
                Deposit(amount=amount),
                Withdraw(amount=amount),
                Open(owner="ann"),
                Transfer(to=other, amount=amount),
                Pay(to=f"{LEDGERS[0]}:9", amount=amount),
            ]
        )
        command_id = f"{run}-{thread}-{n}"
        n += 1
        outcome = engine.send(account.stream(id), command, command_id=command_id)
        say(thread, id, command_id, *told(outcome))


def serve(directory: Path, run: int, snapshots: SnapshotSettings | None) -> None:
    with Embedded(application, directory, shards=SHARDS, inputs=[Fed()], snapshots=snapshots) as engine:
        say("serving")
        is_ending = threading.Event()
        threads = [threading.Thread(target=send_for_ever, args=(engine, run, n, is_ending)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            threads[0].join()
        finally:
            is_ending.set()
            for thread in threads:
                thread.join()


def serve_on_a_full_disk(directory: Path, run: int) -> None:
    """No file may grow any more; commands go on until some are not accepted, and then space is back."""
    limits = Limits(claim_deadline_ms=200, append_deadline_ms=5_000)
    stream = account.stream(f"{LEDGERS[0]}:full")
    with Embedded(application, directory, shards=SHARDS, limits=limits, projects=False) as engine:
        say("serving")
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        largest = max(file.stat().st_size for file in directory.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 200_000, hard))
        engine.send(stream, Open(owner="x" * 100), command_id=f"{run}-open")
        refusals = n = 0
        while refusals < 3:
            outcome = engine.send(stream, Deposit(amount=1), command_id=f"{run}-{n}", traceparent="x" * 2_000)
            say(0, stream.id, f"{run}-{n}", *told(outcome), getattr(outcome, "message", ""))
            refusals += not isinstance(outcome, CommandAccepted)
            n += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        say("space")
        while not isinstance(engine.send(stream, Deposit(amount=1), command_id=f"{run}-after"), CommandAccepted):
            pass
        say("served again")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits that it is ignored
    if sys.argv[3:] == ["terminates"]:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.argv[3:] == ["full"]:
        serve_on_a_full_disk(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        serve(Path(sys.argv[1]), int(sys.argv[2]), OFTEN if sys.argv[3:] == ["snapshots"] else SnapshotSettings())
