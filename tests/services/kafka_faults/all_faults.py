"""Every fault by name, with how many brokers it takes and how long its forms are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeAlias

from tests.services.kafka_faults.broker_faults import all_restarted, leader_killed
from tests.services.kafka_faults.disk_faults import disk_filled
from tests.services.kafka_faults.executor_faults import (
    claimer_crashed,
    executor_killed,
    executor_paused,
    two_executors,
)
from tests.services.kafka_faults.ground import Brokers
from tests.services.kafka_faults.history import Counts
from tests.services.kafka_faults.journal_faults import foreign_records
from tests.services.kafka_faults.network_faults import answers_treated, network_paused
from tests.services.kafka_faults.role_faults import roles_killed

Run: TypeAlias = Callable[[Brokers, Path, Random, int], Counts]


class FaultForm(NamedTuple):
    """brokers: 1 or 3. short, long: rounds."""

    run: Run
    brokers: int
    short: int
    long: int


FAULTS: Mapping[str, FaultForm] = {
    "leader_killed": FaultForm(leader_killed, 3, 1, 6),
    "all_restarted": FaultForm(all_restarted, 3, 1, 3),
    "executor_killed": FaultForm(executor_killed, 1, 4, 20),
    "executor_paused": FaultForm(executor_paused, 1, 1, 5),
    "two_executors": FaultForm(two_executors, 1, 2, 12),
    "claimer_crashed": FaultForm(claimer_crashed, 1, 4, 12),
    "answers_treated": FaultForm(answers_treated, 1, 4, 18),
    "network_paused": FaultForm(network_paused, 1, 1, 4),
    "foreign_records": FaultForm(foreign_records, 1, 3, 20),
    "roles_killed": FaultForm(roles_killed, 1, 5, 30),
    "disk_filled": FaultForm(disk_filled, 1, 1, 3),
}
