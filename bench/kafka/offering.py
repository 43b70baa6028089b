"""`python -m bench.kafka.offering SETTINGS`: a producer that sends single commands when they are due.

SETTINGS is JSON: bootstrap, journal, per_s, seconds, streams, and linger_ms, default 0. It writes when each was due to
its standard output, as doubles of the clock that all processes of a host share. Times are drawn ahead, as those of
callers who know nothing of each other; a sender that is late sends at once, and the lateness counts.
"""

from __future__ import annotations

import json
import random
import sys
import time
from array import array
from itertools import accumulate
from time import perf_counter

from confluent_kafka import Producer

from bench.load import LEAD_SECONDS, NAP_SECONDS
from bench.workload import records
from shardlog.adapters.kafka.clients import commands_producer_config
from shardlog.adapters.kafka.settings import KafkaSettings

FLUSH_SECONDS = 60.0
CONNECT_SECONDS = 30.0


def due_times(commands: int, per_s: float, begin: float) -> list[float]:
    """Seconds of the clock, growing: exponential gaps, scaled so that chance does not make the rate another one."""
    chance = random.Random(int(per_s))
    gaps = [chance.expovariate(1) for _ in range(commands)]
    scale = commands / per_s / sum(gaps)
    return [begin + after * scale for after in accumulate(gaps)]


def main() -> int:
    """Send, then say when each was due."""
    given = json.loads(sys.argv[1])
    settings = KafkaSettings(bootstrap_servers=given["bootstrap"], journal=given["journal"])
    commands = records(int(given["per_s"] * given["seconds"]), given["streams"])
    linger = {"linger.ms": given.get("linger_ms", 0), "queue.buffering.max.messages": 1_000_000, "logger": None}
    producer = Producer(commands_producer_config(settings) | linger)
    topic = settings.commands_topic
    producer.list_topics(topic, timeout=CONNECT_SECONDS)
    time.sleep(2 * LEAD_SECONDS)  # an idempotent producer has its number by then
    due = due_times(len(commands), given["per_s"], perf_counter() + LEAD_SECONDS)
    sent = 0
    while sent < len(commands):
        now = perf_counter()
        while sent < len(commands) and due[sent] <= now:
            producer.produce(topic, commands[sent], partition=0)
            sent += 1
        producer.poll(0)
        if sent < len(commands):
            time.sleep(max(0.0, min(NAP_SECONDS, due[sent] - perf_counter())))
    if producer.flush(FLUSH_SECONDS):
        print(f"not all of {len(commands)} commands were taken within {FLUSH_SECONDS} s", file=sys.stderr)
        return 1
    array("d", due).tofile(sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
