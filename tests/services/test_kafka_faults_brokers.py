"""Brokers that die under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.services.kafka_faults.ground import Brokers, Ground, serving, three_brokers


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    with three_brokers() as brokers:
        yield brokers


def test_plain(brokers: Brokers, tmp_path: Path) -> None:
    with Ground(brokers, tmp_path, Random(1)).under_load() as ground:
        bank = ground.bank
        serving(bank.executor(rate=50), bank.relay(), bank.projector())
        ground.wait_for_frames(100)
        print(ground.finish(publishes=True, projects=True))
