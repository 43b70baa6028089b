"""Brokers that die under load, one and all."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.services.kafka_faults.bank import SHARDS
from tests.services.kafka_faults.ground import ASK_SECONDS, Brokers, Ground, serving
from tests.services.kafka_faults.history import Counts
from tests.services.kafka_faults.load import PATIENT_SECONDS, wait_for

READY_SECONDS = 90.0


def leader_killed(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """SIGKILL for the broker that leads a shard, with frames on their way to it; it comes back, and the next one goes.

    An unclean election, or a frame acknowledged before its replicas have it, would show as a head that readers disagree
    on, or as an answer without its entry.
    """
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.executor(rate=60), ground.bank.relay())
        for _ in range(rounds):
            ground.wait_for_frames(random.randrange(10, 60))
            broker = ground.leader(random.randrange(SHARDS))
            broker.kill()
            ground.wait_for_frames(10)
            broker.start()
            broker.wait_until_ready(READY_SECONDS)
            _wait_until_in_sync(ground)
        return ground.finish(publishes=True)


def all_restarted(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """Every broker is ended, in order or by SIGKILL one right after the other, and all come back."""
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.executor(rate=60), ground.bank.relay())
        for _ in range(rounds):
            ground.wait_for_frames(random.randrange(10, 60))
            for broker in brokers.cluster.brokers:
                broker.kill()
            for broker in brokers.cluster.brokers:
                broker.start()
            brokers.cluster.wait_until_ready()
            ground.wait_for_frames(10)
        return ground.finish(publishes=True)


def _wait_until_in_sync(ground: Ground) -> None:
    """Until three replicas have every shard again: the next kill must leave two."""
    why = "not all three replicas are in sync"
    wait_for(lambda: ground.in_sync() == 3, PATIENT_SECONDS, lambda: why, look_s=ASK_SECONDS)
