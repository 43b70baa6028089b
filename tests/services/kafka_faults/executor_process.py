"""An executor as `shardlog serve executor` runs it, with callers in its process, or an end at a certain step.

`python -m tests.services.kafka_faults.executor_process ORDINAL RATE [DIES]` with SHARDLOG_SETTINGS. RATE: requests a
second until SIGUSR1, each answer a line [id, command id, accepted or code, token]. DIES: at which step of its first
claim it ends by SIGKILL: before-send, after-send, after-landing, after-re-reading.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any

from domain.banking.account import account
from domain.banking.messages import Deposit, Pay, Transfer, Withdraw
from shardlog import CommandAccepted, CommandUnavailable
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.client.commands import command_record
from shardlog.executor.requests import Request
from shardlog.journal.envelope import envelope_of
from shardlog.ports.journal import Report, Writer
from shardlog.wiring.kafka import log as kafka_log
from shardlog.wiring.kafka.executor import ExecutorProcess
from shardlog.wiring.kafka.signals import stopped_by_signals
from shardlog.wiring.settings import load_settings
from tests.services.kafka_faults.bank import LEDGERS, SHARDS, application

STEPS = ("before-send", "after-send", "after-landing", "after-re-reading")


def say(value: object) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


class Printing:
    """Answers as lines; a ticket is (stream, command id)."""

    def deliver(self, answers: list[tuple[Any, Any]], /) -> None:
        for (id, command_id), outcome in answers:
            code = "accepted" if isinstance(outcome, CommandAccepted) else outcome.code
            token = None if isinstance(outcome, CommandUnavailable) else outcome.token
            say([id, command_id, code, token])


def call(process: ExecutorProcess, rate: int, is_ending: threading.Event) -> None:
    """Requests to all shards that are served here, at this rate."""
    random, name, sink = Random(os.getpid()), uuid.uuid4().hex[:8], Printing()
    for number in count():
        if is_ending.wait(1 / rate):
            return
        shard = random.randrange(SHARDS)
        ledger = random.choice(LEDGERS[shard])
        id, amount = f"{ledger}:{random.randrange(3)}", random.randrange(1, 50)
        other = f"{random.choice(LEDGERS[random.randrange(SHARDS)])}:{random.randrange(3)}"
        command: Any = random.choice(
            [
                Deposit(amount=amount),
                Withdraw(amount=amount),
                Transfer(to=f"{ledger}:1", amount=amount),
                Pay(to=other, amount=amount),
            ]
        )
        command_id = f"local-{name}-{number}"
        record = command_record(account.stream(id), command, time.time_ns() // 1000, {"command_id": command_id})
        if process.executor is None or process.executor.shard(shard) is None:
            continue
        process.submit(shard, Request(record, "local", sink, (id, command_id)))


# -- ends --------------------------------------------------------------------------------------------------------------
def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def is_claim(value: bytes) -> bool:
    envelope = envelope_of(value)
    return envelope is not None and envelope.is_claim


class EndingWriter(Writer):
    """Passes everything on, and ends the process at the step."""

    def __init__(self, writer: Writer, step: str, claims: set[bytes]) -> None:
        self._writer, self._step, self._claims = writer, step, claims

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        if not is_claim(value):
            self._writer.append(value, reported)
            return
        self._claims.add(value)
        if self._step == "before-send":
            end()

        def then_end(report: Report) -> None:
            if self._step == "after-landing":
                end()
            reported(report)

        self._writer.append(value, then_end)
        if self._step == "after-send":
            end()

    def abandon(self, deadline_ms: int) -> None:
        self._writer.abandon(deadline_ms)


class EndingJournal(KafkaJournal):
    """The journal on Kafka, for a process that ends at a step of its claim."""

    step = ""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._claims: set[bytes] = set()

    def writer(self, shard: int) -> Writer:
        return EndingWriter(super().writer(shard), self.step, self._claims)

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        for offset, value in super().read(shard, start):
            yield offset, value
            if self.step == "after-re-reading" and value in self._claims:
                end()


def main(ordinal: int, rate: int, dies: str) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if dies:
        EndingJournal.step = dies
        kafka_log.KafkaJournal = EndingJournal  # type: ignore[misc]  # the wiring knows no other journal
    process = ExecutorProcess(load_settings(os.environ["SHARDLOG_SETTINGS"]), application, ordinal)
    is_ending = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: is_ending.set())
    caller = threading.Thread(target=call, args=(process, rate, is_ending), daemon=True)
    if rate:
        caller.start()
    with stopped_by_signals(process.stop):
        process.run(lambda serving: say({"role": "executor", **serving._asdict()}))
    is_ending.set()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
