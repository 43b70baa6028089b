"""Roles as processes of their own over a journal on a real broker; what producers send, and what stands in the log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer

from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.inspection.records import SeenRecord, entries, records
from shardlog.journal.reader import Reader
from shardlog.ownership.view import ControlView, look
from shardlog.sharding import shard_of
from shardlog.wiring.kafka import administration
from shardlog.wiring.loading import load_application
from shardlog.wiring.settings import Settings, load_settings
from tests.services.command_line import Said, environment, shardlog

SHARDS = 4
WITHIN_SECONDS = 45.0
LEDGERS = [next(f"l{n}" for n in range(100) if shard_of(f"l{n}", SHARDS) == shard) for shard in range(SHARDS)]
"""By shard, the name of a ledger that belongs there."""
SETTINGS = """
[application]
domains = ["domain.banking:banking"]
projections = ["projections.banking:balances"]

[journal]
directory = "data"
shards = {shards}

[kafka]
bootstrap_servers = "{address}"
journal = "{journal}"
request_timeout_ms = 3_000
{kafka}

[ownership]
executors = {executors}
poll_ms = 100

[executor]
back_off_max_ms = 500
append_deadline_ms = 3_000

{more}
"""


class Place:
    """A folder with settings for a journal of its own. kafka, more: lines of the settings file."""

    def __init__(
        self,
        folder: Path,
        address: str,
        journal: str,
        *,
        executors: int = 1,
        shards: int = SHARDS,
        kafka: str = "",
        more: str = "",
    ) -> None:
        self.folder = folder
        self.path = folder / "shardlog.toml"
        self.path.write_text(
            SETTINGS.format(
                address=address, journal=journal, executors=executors, shards=shards, kafka=kafka, more=more
            )
        )
        self.settings: Settings = load_settings(self.path)

    def run(self, *arguments: str, **more: str) -> Said:
        """A command of the command line, to its end."""
        return shardlog(self.folder, *arguments, **more)

    def init(self) -> Place:
        """With topics and journal made."""
        administration.init(self.settings, load_application(self.settings.application))
        return self

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Role]:
        """`shardlog serve ...`, killed at the end if it still runs."""
        role = Role(self.folder, arguments)
        try:
            yield role
        finally:
            role.kill()

    # -- what stands there ---------------------------------------------------------------------------------------------
    def view(self) -> ControlView:
        """The control records."""
        control = KafkaControl(self.settings.kafka)
        try:
            return look(control.read())
        finally:
            control.close()

    def records(self, shard: int) -> list[SeenRecord]:
        """A shard's records, as the reader's rule judges them."""
        meta = self.view().known_meta
        journal = KafkaJournal(self.settings.kafka, meta.shards)
        try:
            return list(records(journal, Reader(meta.journal, shard, meta.shards)))
        finally:
            journal.close()

    def claims(self, shard: int) -> list[tuple[int, str]]:
        """Epoch and owner of each valid claim."""
        return [(r.epoch, r.claim.owner) for r in self.records(shard) if r.claim is not None]

    def executed(self, shards: Sequence[int] = range(SHARDS)) -> Counter[str]:
        """By command id, how often it stands in valid frames as accepted."""
        seen = (record for shard in shards for record in self.records(shard))
        frames = (record.frame for record in seen if record.frame is not None)
        return Counter(e.command_id for frame in frames for e in entries(frame) if e.outcome == "accepted")


class Role:
    """A process of `shardlog serve`; the JSON lines that it prints are kept as they come."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)
        self._errors = folder / f"{''.join(arguments)}-{time.monotonic_ns()}.log"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shardlog.cli.main", "serve", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder,
                env=environment(),
            )
        self.lines: list[Any] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(json.loads(line))

    @property
    def shards(self) -> list[int] | None:
        """Those that it said last that it serves; None where it has said nothing."""
        return self.lines[-1]["shards"] if self.lines else None

    @property
    def log(self) -> str:
        """What it wrote to the standard error."""
        return self._errors.read_text()

    def wait_until(self, is_so: Callable[[], object], otherwise: str) -> None:
        """Wait for it; AssertionError with the process's log after the deadline, or once the process has ended."""
        give_up = time.monotonic() + WITHIN_SECONDS
        while not is_so():
            assert self.process.poll() is None, f"{self.arguments} has ended: {self.log}"
            assert time.monotonic() < give_up, f"{otherwise}; {self.lines}; {self.log}"
            time.sleep(0.02)

    def serves(self, *shards: int) -> Role:
        """Wait until it says that it serves exactly these."""
        self.wait_until(lambda: self.shards == list(shards), f"it does not serve {shards}")
        return self

    def ready(self) -> Role:
        """Wait for its first line."""
        self.wait_until(lambda: self.lines, "it says nothing")
        return self

    def logs(self, text: str) -> Role:
        """Wait until this stands in its log."""
        self.wait_until(lambda: text in self.log, f"its log has no {text!r}")
        return self

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ends()

    def ends(self) -> int:
        """Wait for its exit code."""
        return self.process.wait(WITHIN_SECONDS)

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reading.join()


BETWEEN_SECONDS = 0.01
"""A producer that never rests sends more in a slow test than anybody can read again and again."""


class Load:
    """A producer's deposits into an account of each ledger, one after another, each with an id of its own."""

    def __init__(self, place: Place, ledgers: Sequence[str] = tuple(LEDGERS)) -> None:
        self._topic = place.settings.kafka.commands_topic
        self._ledgers = tuple(ledgers)
        self._producer = Producer(
            {
                "bootstrap.servers": place.settings.kafka.bootstrap_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
            }
        )
        self.sent: list[str] = []
        self._stop = threading.Event()
        self._turn = threading.Lock()
        for ledger in self._ledgers:
            self._put(ledger, "open", {"owner": "Ada"})
        self._flush()

    def deposit(self, number: int) -> list[str]:
        """So many, over all ledgers; their ids, once the broker has them."""
        ids = [
            self._put(self._ledgers[place % len(self._ledgers)], "deposit", {"amount": 1}) for place in range(number)
        ]
        self._flush()
        return ids

    def _put(self, ledger: str, command: str, payload: object) -> str:
        with self._turn:  # a test deposits while others go on, and each has an id of its own
            id = f"c{len(self.sent)}"
            fields = [1, "account", f"{ledger}:ada", command, id, "", "", "", "", "", "", None, None, payload]
            self._producer.produce(self._topic, msgspec.json.encode(fields), key=ledger)
            self.sent.append(id)
        return id

    def _flush(self) -> None:
        assert self._producer.flush(WITHIN_SECONDS) == 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """A few deposits at a time, again and again, while the block runs."""

        def run() -> None:
            while not self._stop.wait(BETWEEN_SECONDS):
                self.deposit(20)

        self._stop.clear()
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def is_executed_once(self, place: Place, shards: Sequence[int] = range(SHARDS)) -> bool:
        """Whether each stands in these shards. AssertionError where one stands there twice, or one that nobody sent."""
        executed = place.executed(shards)
        assert executed.keys() <= set(self.sent)
        assert set(executed.values()) <= {1}, [id for id, times in executed.items() if times > 1]
        return len(executed) == len(self.sent)


def eventually(is_so: Callable[[], object], otherwise: str) -> None:
    """Wait for it; AssertionError with what is not so after the deadline."""
    give_up = time.monotonic() + WITHIN_SECONDS
    while not is_so():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.05)
