"""The peers of `bench.project`, each a process that keeps the same counters in the same PostgreSQL server.

faust-streaming: an agent over a topic that holds the events already, with the same upsert: an event a transaction, as
its agents are written, and 1,000 events a transaction, the best that can be made of it. eventsourcing: its projection
runner over its own tables of events. They run one after another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import msgspec

from bench.kafka.place import OPTIONS, send_all
from bench.projected import CARRIERS, MONTHS
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, Topic
from shardlog.testing.services.errors import ServiceMissing
from shardlog.testing.services.kafka.forgetting import delete_topics
from shardlog.testing.services.kafka.found import found_kafka

FAUST = Path(__file__).parent / "kafka" / "peers" / "faust_counters.py"
RUN_SECONDS_MAX = 300.0
EVENTS, SMALL_EVENTS = 60_000, 2_000
SINGLE_PART, WARM_UP_PART = 0.1, 0.2
FAUST_BATCH = 1_000


def figures(database: str, reached_per_s: float, is_small: bool) -> dict[str, object]:
    """Events a second of each, and how many times as many shardlog reaches; None where one does not run.

    database: PostgreSQL's URL. faust_ratio: to the faster of its two forms; faust_single_ratio: to the one that has an
    event a transaction.
    """
    events = SMALL_EVENTS if is_small else EVENTS
    single = int(events * SINGLE_PART)
    found: dict[str, object] = {}
    try:
        with found_kafka(OPTIONS) as bootstrap:
            found["faust_events_per_s"] = faust = _faust(bootstrap, database, events, FAUST_BATCH)
            found["faust_single_events_per_s"] = alone = _faust(bootstrap, database, single, 1)
            rates = [rate for rate in (faust, alone) if rate is not None]
            found["faust_ratio"] = reached_per_s / max(rates) if rates else None
            found["faust_single_ratio"] = None if alone is None else reached_per_s / alone
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
    given = ["-m", "bench.eventsourcing_counters", str(single), str(int(single * WARM_UP_PART))]
    found["eventsourcing_events_per_s"] = rate = _run("eventsourcing", given, database)
    found["eventsourcing_ratio"] = None if rate is None else reached_per_s / rate
    return found


def _faust(bootstrap: str, database: str, events: int, batch: int) -> float | None:
    name = f"bench-faust-{uuid.uuid4().hex[:8]}"
    settings = KafkaSettings(bootstrap_servers=bootstrap, journal=name)
    KafkaTopics(settings).create([Topic(name, 1, {})])
    send_all(settings, name, [_flown(number) for number in range(events)])
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as directory:
        given = {"bootstrap": bootstrap, "topic": name, "events": events, "batch": batch, "directory": directory}
        try:
            settled = json.dumps(given | {"warm_up": int(events * WARM_UP_PART)})
            return _run("faust-streaming", [str(FAUST), settled], database)
        finally:
            delete_topics(bootstrap, [name])


def _flown(number: int) -> bytes:
    flown = {"carrier": f"C{number % CARRIERS}", "month": number % MONTHS + 1, "delay_min": number % 90 - 20}
    return msgspec.json.encode(flown)


def _run(name: str, arguments: list[str], database: str) -> float | None:
    """What the process prints last; None, with a word, where it does not end well."""
    environment = {**os.environ, "DATABASE": database}
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"{name} did not end within {RUN_SECONDS_MAX:.0f} s", file=sys.stderr)
        return None
    if done.returncode:
        print(f"{name} ended with exit code {done.returncode}: {done.stderr[-2_000:]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])
