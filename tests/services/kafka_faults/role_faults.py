"""Any role killed at any time, with payments between shards under way."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.services.kafka_faults.bank import RoleProcess
from tests.services.kafka_faults.ground import Brokers, Ground, serving
from tests.services.kafka_faults.history import Counts


def roles_killed(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """kill -9 for one of two executors, the relay, or the projector; the orchestrator's part is to start it again."""
    with Ground(brokers, directory, random, executors=2).under_load() as ground:
        bank = ground.bank
        starts = [lambda: bank.executor(0, rate=30), lambda: bank.executor(1, rate=30), bank.relay, bank.projector]
        running: list[RoleProcess] = [start() for start in starts]
        serving(*running)
        for _ in range(rounds):
            ground.wait_for_frames(random.randrange(5, 40))
            place = random.randrange(len(starts))
            running[place].kill()
            if random.random() < 0.5:
                ground.wait_for_frames(5) if place > 1 else ground.load.wait_until_confirmed(5)
            running[place] = starts[place]()
            if random.random() < 0.7:
                running[place].wait_until_serving()
        serving(*running)
        return ground.finish(publishes=True, projects=True)
