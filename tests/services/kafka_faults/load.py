"""A producer of commands that goes on whatever brokers do, and remembers what it was told of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random
from types import TracebackType

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from shardlog.adapters.kafka.clients import commands_producer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from tests.services.kafka_faults.bank import LEDGERS, SHARDS

ACCOUNTS = [f"{ledger}:{number}" for ledgers in LEDGERS for ledger in ledgers for number in range(3)]
FUNDS = 10_000
BURST = 12
FLUSH_SECONDS = 60.0
PATIENT_SECONDS = 120.0
"""How long a condition may take that is there in a second or two on an idle machine."""


class Produced(msgspec.Struct):
    """One record. shard: where it was sent to. offset: as it was confirmed, None where it was not."""

    shard: int
    value: bytes
    offset: int | None = None
    error: str = ""


class Load:
    """Commands in bursts from a thread of its own, inside of the context; at its end all is confirmed or refused.

    rate: records a second.
    """

    def __init__(self, settings: KafkaSettings, random: Random, rate: int = 100) -> None:
        self.produced: list[Produced] = []
        self.confirmed = 0
        self._settings = settings
        self._random = random
        self._rate = rate
        self._producer = Producer(commands_producer_config(settings))
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Load:
        for id in ACCOUNTS:
            self._send(id, "open", {"owner": "ann", "daily_limit": 10**9})
            self._send(id, "deposit", {"amount": FUNDS})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send nothing more; wait until all that was sent is confirmed or refused."""
        if not self._is_ending.is_set():
            self._is_ending.set()
            self._thread.join()
            self._producer.flush(FLUSH_SECONDS)

    def wait_until_confirmed(self, records: int, within_s: float = PATIENT_SECONDS) -> None:
        """So many more than now."""
        wanted = self.confirmed + records
        wait_for(lambda: self.confirmed >= wanted, within_s, lambda: f"only {self.confirmed} records confirmed")

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._is_ending.is_set():
            for _ in range(self._random.randrange(1, BURST)):
                self._send_any()
            self._producer.poll(0)
            self._is_ending.wait(BURST / 2 / self._rate)

    def _send_any(self) -> None:
        random = self._random
        kind, id, amount = random.random(), random.choice(ACCOUNTS), random.randrange(1, 60)
        if kind < 0.3:
            self._send(id, "deposit", {"amount": amount})
        elif kind < 0.5:
            self._send(id, "withdraw", {"amount": amount})
        elif kind < 0.65:
            self._send(id, "transfer", {"to": f"{id.split(':')[0]}:{random.randrange(3)}", "amount": amount})
        elif kind < 0.9:
            self._send(id, "pay", {"to": random.choice([*ACCOUNTS, f"{LEDGERS[0][0]}:nobody"]), "amount": amount})
        elif kind < 0.94 and self.produced:  # a repeat: of a producer that sends again on its own
            record = random.choice(self.produced)
            if record.value.startswith(b"[1,"):
                self._produce(record.shard, record.value)
        elif kind < 0.97:
            self._send(id, "deposit", {"amount": amount}, stray=1)
        else:
            self._produce(random.randrange(SHARDS), random.choice([b"", b"no command", b'[1,"account"]', b'{"a":1}']))

    def _send(self, id: str, command: str, payload: dict[str, object], stray: int = 0) -> None:
        """stray: how many partitions beside its own the record goes to."""
        command_id = f"load-{len(self.produced)}"
        fields = [1, "account", id, command, command_id, "", "", "", "", "", "the-load", None, None, payload]
        home = next(shard for shard, ledgers in enumerate(LEDGERS) if id.split(":")[0] in ledgers)
        self._produce((home + stray) % SHARDS, msgspec.json.encode(fields))

    def _produce(self, shard: int, value: bytes) -> None:
        record = Produced(shard, value)
        self.produced.append(record)
        topic = self._settings.commands_topic
        while True:
            try:
                self._producer.produce(topic, value, partition=shard, on_delivery=partial(self._delivered, record))
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, record: Produced, error: KafkaError | None, message: Message) -> None:
        if error is None:
            record.offset = message.offset()
            self.confirmed += 1
        else:
            record.error = str(error)


def wait_for(is_so: Callable[[], bool], within_s: float, why: Callable[[], str], *, look_s: float = 0.02) -> None:
    """Wait for a condition, looked at every look_s. Raises AssertionError with `why`."""
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up, f"not within {within_s} s: {why()}"
        time.sleep(look_s)
