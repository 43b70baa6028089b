"""Single commands, offered over the commands topic by another process: from when each was due to its acknowledgement.

A command's offset in the topic is its number, and each acknowledged frame says up to which offset it settles; so its
latency is the time of the first acknowledgement behind it, less the time that it was due.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from array import array
from time import perf_counter

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.kafka.place import Place
from bench.load import ANSWER_SECONDS, WARM_UP_SECONDS, Point
from bench.shard import DrivenShard, percentile
from shardlog.adapters.kafka.clients import COMMANDS_LINGER_MS, commands_config, producer_config
from shardlog.executor.core import ExecutorCore
from shardlog.executor.draft import Answer
from shardlog.executor.limits import Limits
from shardlog.executor.runner import Executor

LOOK_SECONDS = 0.05
LONE_PER_S_MAX = 1_000
"""Up to here the producer sends each command at once; beyond, as many travel together as come within a millisecond."""


class Acknowledgements:
    """When the frames of a core were acknowledged: pairs of the first offset not settled and the time."""

    def __init__(self, core: ExecutorCore, input: str) -> None:
        self.marks: list[tuple[int, float]] = []
        acknowledge = core.acknowledge

        def noted(offset: int) -> list[Answer]:
            answers = acknowledge(offset)
            self.marks.append((core.settled.get(input, 0), perf_counter()))
            return answers

        core.acknowledge = noted  # type: ignore[method-assign]  # the clock is read where answers would be given


def offered_over_the_topic(place: Place, per_s: int, seconds: float, streams: int) -> Point:
    """Offer single commands at this rate for so long, after a second to warm up. Raises TimeoutError, RuntimeError."""
    source = place.input()
    shard = DrivenShard(place.journal, Limits(), [source])
    noted = Acknowledgements(shard.core, source.name)
    executor = Executor({0: shard.executor})
    executor.start(60)
    try:
        due = _offer(place, per_s, WARM_UP_SECONDS + seconds, streams)
        give_up = time.monotonic() + ANSWER_SECONDS
        while executor.settled(source.name) < len(due):
            executor.raise_error()
            if time.monotonic() > give_up:
                raise TimeoutError(f"not all of {len(due)} commands were settled {ANSWER_SECONDS} s after the last")
            time.sleep(LOOK_SECONDS)
    finally:
        executor.stop()
    return point(due, noted.marks, per_s, int(per_s * WARM_UP_SECONDS))


def without_an_engine(place: Place, per_s: int, seconds: float, streams: int) -> Point:
    """The same offer, and nothing but librdkafka behind it: each record is polled, and produced into another topic.

    A latency runs to the report that it stands there. So much of it is the brokers', the client library's and the
    machine's. Raises RuntimeError.
    """
    marks: list[tuple[int, float]] = []
    echo = _Echo(place, marks)
    echo.start()
    try:
        due = _offer(place, per_s, WARM_UP_SECONDS + seconds, streams)
        echo.wait_for(len(due))
    finally:
        echo.end()
    return point(due, marks, per_s, int(per_s * WARM_UP_SECONDS))


class _Echo:
    """One thread that polls the commands topic and produces into the journal's, one that takes the reports."""

    def __init__(self, place: Place, marks: list[tuple[int, float]]) -> None:
        settings = place.settings
        self._topic = settings.journal_topic
        self._marks = marks
        self._consumer = Consumer(commands_config(settings) | {"logger": None})
        self._consumer.assign([TopicPartition(settings.commands_topic, 0, 0)])
        self._producer = Producer(producer_config(settings) | {"logger": None})
        self._is_ending = False
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._move, self._report)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wait_for(self, records: int) -> None:
        """Wait until so many stand in the other topic. Raises TimeoutError."""
        give_up = time.monotonic() + ANSWER_SECONDS
        while len(self._marks) < records:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{len(self._marks)} of {records} records were moved within {ANSWER_SECONDS} s")
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Let go of its clients."""
        self._is_ending = True
        for thread in self._threads:
            thread.join()
        self._consumer.close()

    def _move(self) -> None:
        while not self._is_ending:
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self._producer.produce(self._topic, message.value(), partition=0, on_delivery=self._delivered)

    def _report(self) -> None:
        while not self._is_ending:
            self._producer.poll(0.1)

    def _delivered(self, _error: object, _message: object) -> None:
        self._marks.append((len(self._marks) + 1, perf_counter()))


def point(due: array[float], marks: list[tuple[int, float]], per_s: int, warm_up: int) -> Point:
    """What came of it, without the first `warm_up` commands."""
    latencies: list[float] = []
    last, known = 0.0, 0
    for settled, at in marks:
        latencies += [at - due[number] for number in range(max(known, warm_up), settled)]
        known = max(known, settled)
        last = at
    latencies.sort()
    ms = [percentile(latencies, part) * 1e3 for part in (0.5, 0.99, 0.999)]
    return Point(per_s, len(latencies) / (max(last, due[-1]) - due[warm_up]), 0, *ms)


def _offer(place: Place, per_s: int, seconds: float, streams: int) -> array[float]:
    settings = place.settings
    given = {
        "bootstrap": settings.bootstrap_servers,
        "journal": settings.journal,
        "per_s": per_s,
        "seconds": seconds,
        "streams": streams,
        "linger_ms": 0 if per_s <= LONE_PER_S_MAX else COMMANDS_LINGER_MS,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.kafka.offering", json.dumps(given)],
        stdout=subprocess.PIPE,
        check=False,
        timeout=seconds + 4 * ANSWER_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"the producer ended with exit code {done.returncode}; what it says stands above")
    due: array[float] = array("d")
    due.frombytes(done.stdout)
    return due
