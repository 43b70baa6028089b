"""A random run: several workers, and at each step of each of them a chance that something goes wrong.

A step is a message with which a worker has the server do something about rows: a statement sent for its answer, a
pipeline that is closed, a commit. Leases are looked at all the time, are not counted, and suffer with the rest. Each
worker comes by a proxy of its own, which draws for every step, so that a fault hits in mid-batch, just before the
server hears of it or just behind.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import msgspec
import psycopg
from sqlalchemy.engine import make_url

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.ports.builds import Build
from shardlog.projector.dead_letters import DeadLetters
from shardlog.projector.worker import Limits
from shardlog.testing.services.postgresql import PostgresqlOptions, PostgresqlServer
from tests.services.postgresql_faults.field import LIMITS, Field
from tests.services.postgresql_faults.ledger import FRAME_ENTRIES, SHARDS
from tests.services.postgresql_faults.proxy import Message, MessageProxy, Verdict
from tests.services.postgresql_faults.workers import WorkerProcess, end_postmaster

WORKERS = 3
WORKERS_MAX = 4
CHANCE = 0.02
FAULTS = {"cut": 12, "kill": 3, "pause": 4, "terminate": 5, "trouble": 3, "add": 1, "restart": 1}
"""What may happen at a step, and how often beside the others."""
PAUSES_S = (0.05, 2.0)
TROUBLE_S = (0.05, 0.3)
CAUGHT_UP_SECONDS = 1_800.0
BATCHES_MIN = 50
POISON_SHARE = 0.002
"""Each dead letter is two steps of a batch; where there are many in each, hardly a batch would come through."""


class Outcome(msgspec.Struct, frozen=True):
    """What a run has seen. faults: by kind, how often. steps: of all workers."""

    events: int
    steps: int
    faults: dict[str, int]
    letters_retried: int
    deadlocks: int


class Storm:
    """Draws faults and does them. Proxies draw in their threads; `weather` does what takes time, in its caller's."""

    def __init__(self, field: Field, server: PostgresqlServer, random: Random, chance: float, limits: Limits) -> None:
        self.limits = limits
        self.faults: Counter[str] = Counter()
        self.steps = 0
        self.trouble = field.directory / "trouble"
        self._field = field
        self._server = server
        self._random = random
        self._chance = chance
        self._turn = threading.Lock()
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._later: list[tuple[float, str, int]] = []
        self._places: list[Place] = []
        self._leaving: list[Place] = []

    @contextmanager
    def blowing(self) -> Iterator[None]:
        """Workers that are there at the beginning, and at the end those that live."""
        try:
            for _ in range(WORKERS):
                self._add()
            yield
        finally:
            self.trouble.unlink(missing_ok=True)
            for place in self._places + self._leaving:
                place.proxy.__exit__(None, None, None)

    def weather(self) -> None:
        """Do what was drawn, end what has lasted long enough, and start workers again that have died."""
        now = time.monotonic()
        due = [entry for entry in self._later if entry[0] <= now]
        self._later = [entry for entry in self._later if entry[0] > now]
        for _, what, pid in due:
            self._end(what, pid)
        with suppress(queue.Empty):
            while True:
                self._do(self._asked.get_nowait())
        self._keep_running()

    def calm(self) -> None:
        """Nothing goes wrong from now on, and what does is over."""
        self._chance = 0.0
        for _, what, pid in self._later:
            self._end(what, pid)
        self._later.clear()
        self.trouble.unlink(missing_ok=True)
        for place in self._places + self._leaving:
            place.worker.send(signal.SIGCONT)
        self._keep_running()

    # -- in the proxies' threads ---------------------------------------------------------------------------------------
    def draw(self, place: Place, message: Message) -> Verdict:
        """What happens at this message of a worker."""
        if not message.is_request or not message.is_of_rows or message.type not in "QS":
            return Verdict.PASS
        with self._turn:
            self.steps += 1
            if self._random.random() >= self._chance:
                return Verdict.PASS
            what = self._random.choices(list(FAULTS), list(FAULTS.values()))[0]
            behind = self._random.random() < 0.5
            self.faults[what] += 1
        if what == "cut":
            return Verdict.CUT_BEHIND if behind else Verdict.CUT_BEFORE
        if what == "kill":
            place.worker.send(signal.SIGKILL)
            return Verdict.CUT_BEHIND if behind else Verdict.CUT_BEFORE
        if what == "pause":
            place.worker.send(signal.SIGSTOP)
            self._asked.put(f"pause {place.worker.popen.pid}")
            return Verdict.PASS
        self._asked.put(what)
        return Verdict.PASS

    # -- in the caller's -----------------------------------------------------------------------------------------------
    def _do(self, asked: str) -> None:
        what, _, pid = asked.partition(" ")
        now = time.monotonic()
        if what == "pause":
            self._later.append((now + self._random.uniform(*PAUSES_S), "pause", int(pid)))
        elif what == "trouble":
            self.trouble.touch()
            self._later.append((now + self._random.uniform(*TROUBLE_S), "trouble", 0))
        elif what == "terminate":
            self._terminate()
        elif what == "add":
            self._add()
        elif what == "restart":
            self._restart()

    def _end(self, what: str, pid: int) -> None:
        if what == "trouble":
            self.trouble.unlink(missing_ok=True)
        for place in self._places + self._leaving:
            if what == "pause" and place.worker.popen.pid == pid:
                place.worker.send(signal.SIGCONT)

    def _terminate(self) -> None:
        one = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'shardlog %%'"
            " ORDER BY state <> 'idle' DESC, random() LIMIT %s"
        )
        with suppress(psycopg.OperationalError), psycopg.connect(self._field.url, autocommit=True) as connection:
            connection.execute(one, (self._random.randrange(1, 3),))

    def _add(self) -> None:
        """One more; where there are many, the oldest ends as it is asked to."""
        if len(self._places) >= WORKERS_MAX:
            oldest = self._places.pop(0)
            oldest.worker.send(signal.SIGTERM)
            self._leaving.append(oldest)
        self._places.append(Place(self))

    def _keep_running(self) -> None:
        """Whoever has died is started anew, as by whoever looks after processes; who was asked to leave is let go."""
        for place in self._places:
            place.keep_running()
        for place in [place for place in self._leaving if not place.worker.is_running]:
            self._leaving.remove(place)
            place.proxy.__exit__(None, None, None)

    def _restart(self) -> None:
        """Killed, or ended at once in an orderly way; workers don't know why."""
        end_postmaster(self._server, self._random.choice([signal.SIGKILL, signal.SIGQUIT]))
        self._server.start()


class Place:
    """A worker with its proxy; one that dies is started anew."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._field = storm._field
        target = make_url(self._field.url)
        assert target.port is not None
        self.proxy = MessageProxy(target.port, lambda message: storm.draw(self, message))
        self.proxy.__enter__()
        self._url = target.set(port=self.proxy.port).render_as_string(hide_password=False)
        self.worker = self._start()

    def keep_running(self) -> None:
        """Start it where it has ended."""
        if not self.worker.is_running:
            self.worker.kill()
            self._field.workers.remove(self.worker)
            self.worker = self._start()

    def _start(self) -> WorkerProcess:
        return self._field.start(url=self._url, trouble=str(self._storm.trouble), limits=self._storm.limits)


def run(directory: Path, events: int, random: Random, chance: float = CHANCE) -> Outcome:
    """One run on a server of its own. Raises AssertionError where a row differs from a fresh rebuild's.

    A batch has at most a fiftieth of the events, so that a short run has many too. All that follow a dead letter of
    their streams are dead letters too, so that trouble at the beginning makes tens of thousands: none are too many.
    """
    frames = max(SHARDS, events // FRAME_ENTRIES // BATCHES_MIN)
    directory.mkdir(parents=True)
    with PostgresqlServer(PostgresqlOptions(is_durable=True)) as server:
        field = Field(directory, server.url, "shardlog", events, seed=random.randrange(10**9), poison=POISON_SHARE)
        try:
            limits = Limits(batch_frames_max=frames, lease_ms=LIMITS.lease_ms, dead_letters_max=2 * events)
            storm = Storm(field, server, random, chance, limits)
            with storm.blowing():
                give_up = time.monotonic() + CAUGHT_UP_SECONDS
                while not is_caught_up(field):
                    assert time.monotonic() < give_up, f"not caught up: {storm.faults}; {field.where()}"
                    storm.weather()
                    refuse_stopped(field)
                    time.sleep(0.005)
                storm.calm()
                field.wait_until_caught_up()
                refuse_stopped(field)
                for worker in field.workers:
                    worker.end()
            retried = retry_all(field)
            field.finish()
            deadlocks = int(server.ask("SELECT sum(deadlocks) FROM pg_stat_database")[0])
            return Outcome(events, storm.steps, dict(storm.faults), retried, deadlocks)
        finally:
            field.close()


def refuse_stopped(field: Field) -> None:
    """No fault here stops a projection for good; nobody would resume it. Raises AssertionError."""
    for worker in field.workers:
        assert worker.stopped == [], worker.where()


def is_caught_up(field: Field) -> bool:
    with suppress(psycopg.Error):
        return field.read() == field.ends()
    return False


def retry_all(field: Field) -> int:
    """What an operator does when the trouble is over: every stream that is not poisoned is worked through."""
    store = PostgresqlProjectionStore(field.url, schema=field.schema)
    try:
        letters = DeadLetters(field.application, Build(field.projection, 1), store)
        streams = sorted({(letter.category, letter.id) for letter in letters.letters()})
        return sum(letters.retry(*stream) for stream in streams if not stream[1].startswith("poison"))
    finally:
        store.close()
