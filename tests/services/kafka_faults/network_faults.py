"""A network between executor and brokers that loses, doubles, delays and withholds answers, or is away altogether."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from shardlog.testing.faults import PRODUCE, Fault, Kind
from tests.services.kafka_faults.bank import SHARDS
from tests.services.kafka_faults.ground import Brokers, Ground, serving
from tests.services.kafka_faults.history import Counts

PRODUCES = frozenset({PRODUCE})
TREATED_SECONDS = 120.0
FRAMES = 8


def answers_treated(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """Answers to appends come late, twice, not at all, or only when the writer has given up; connections are cut."""
    treatments = [
        Fault(kind=Kind.REPEAT, requests=PRODUCES, answers_max=20),
        Fault(kind=Kind.DELAY, requests=PRODUCES, delay_ms=random.randrange(5, 80)),
        Fault(kind=Kind.DROP, requests=PRODUCES, answers_max=1),
        Fault(kind=Kind.HOLD, requests=PRODUCES),
        Fault(kind=Kind.DELAY, delay_ms=20),
        Fault(kind=Kind.REPEAT, answers_max=50),
    ]
    random.shuffle(treatments)
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.executor(rate=60, by=brokers.proxy.bootstrap), ground.bank.relay())
        for number in range(rounds):
            fault, claims = treatments[number % len(treatments)], ground.claims()
            with brokers.proxy.during(fault):
                brokers.proxy.wait_until_treated(1, TREATED_SECONDS)
                if fault.kind is not Kind.HOLD:
                    ground.wait_for_frames(FRAMES)
                elif random.random() < 0.5:
                    ground.wait_for_claims(claims + 1)  # the writer has given up, and claims by a connection of its own
            ground.wait_for_frames(FRAMES)
            if random.random() < 0.5:
                assert brokers.proxy.cut() > 0
                ground.wait_for_frames(FRAMES)
        return ground.finish(publishes=True)


def network_paused(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """Nothing passes between an executor and all brokers, for longer than any time-out; another one takes over, then
    the network is back, with what was on its way: it lands behind the claim, and counts for nobody."""
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.relay())
        limits = ground.bank.settings.executor
        longer_s = (max(limits.append_deadline_ms, limits.claim_deadline_ms) + limits.back_off_max_ms) / 1000 + 1
        for number in range(rounds):
            behind, taker_ordinal = 2 * number, 2 * number + 1
            for shard in range(SHARDS):
                ground.bank.assign(shard, behind)
            proxied = ground.bank.executor(behind, rate=80, by=brokers.proxy.bootstrap).wait_until_serving()
            proxied.wait_until_answered(random.randrange(1, 60))
            with brokers.proxy.during(Fault(kind=Kind.SILENCE)):
                silent_since = time.monotonic()
                for shard in range(SHARDS):
                    ground.bank.assign(shard, taker_ordinal)
                taker = ground.bank.executor(taker_ordinal, rate=80).wait_until_serving()
                taker.wait_until_answered(10)
                remaining = longer_s - (time.monotonic() - silent_since)
                if remaining > 0:
                    ground.wait_for_frames(5)
                    time.sleep(max(longer_s - (time.monotonic() - silent_since), 0))  # the length is the fault itself
            proxied.wait_until_serving(times=2)
            assert proxied.serves == []
            proxied.terminate()
            taker.wait_until_answered(10)
            taker.terminate()
        ground.bank.executor(2 * rounds - 1, rate=20).wait_until_serving()
        return ground.finish(publishes=True)
