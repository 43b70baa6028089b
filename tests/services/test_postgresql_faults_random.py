"""Random faults at one step in fifty, over several workers: the rows are those of a fresh rebuild, byte for byte. The
long form: `make projection-faults`."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.missing import or_skip
from tests.services.postgresql_faults.storm import run

EVENTS = 4_000
FAULTS_MIN = 10


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", [1])
def test_random_faults_end_with_the_rows_of_a_fresh_rebuild(seed: int, tmp_path: Path) -> None:
    with or_skip():
        outcome = run(tmp_path / "run", EVENTS, Random(seed))
    assert sum(outcome.faults.values()) >= FAULTS_MIN
    assert {"cut", "kill"} <= outcome.faults.keys()
