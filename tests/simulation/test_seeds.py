"""Seeds of the simulation hold all promises, and the same seed is the same run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shardlog.testing.simulation.runner import Failure, run_seed, run_seeds, simulate, traced
from tests.simulation.mutants.catching import mutant_named

SEEDS = 300
JOBS = 2
SAME_SEED = 21


def test_300_seeds_hold_all_promises() -> None:
    failures = [result for result in run_seeds(0, SEEDS, JOBS) if isinstance(result, Failure)]
    assert not failures, (
        f"see it again: python -m shardlog.testing.simulation --first {failures[0].seed} --seeds 1 --trace"
    )


def test_a_seed_runs_the_same_way_every_time() -> None:
    assert run_seed(SAME_SEED) == run_seed(SAME_SEED)
    assert traced(SAME_SEED) == traced(SAME_SEED)


@pytest.mark.parametrize("seed", [3, SAME_SEED])
def test_a_seed_runs_the_same_way_whatever_the_hash_seed(seed: int) -> None:
    traces = {_trace_of_another_process(seed, hash_seed) for hash_seed in ("0", "1", "4711")}
    assert len(traces) == 1
    assert "is serving, epoch " in traces.pop()


def test_two_seeds_are_two_runs() -> None:
    assert run_seed(1) != run_seed(2)


def test_a_failing_seed_says_how_to_see_it_again_and_the_counts_come_last() -> None:
    said: list[str] = []
    with mutant_named("acknowledged_before_append").applied():
        counts = simulate(0, 4, 1, said.append)
    assert counts.findings > 0
    assert any("python -m shardlog.testing.simulation --first 0 --seeds 1 --trace" in line for line in said)
    assert said[-1].startswith("4 seeds, ")
    assert f"{counts.findings} findings; " in said[-1]


def test_a_trace_names_time_process_shard_and_what_happened() -> None:
    with mutant_named("acknowledged_before_append").applied():
        lines = traced(0)
    assert any(line.split() == ["0.000", "ms", "node-0#1", "shard", "0", "begins", "to", "serve"] for line in lines)
    assert any("broker" in line and "lands at" in line for line in lines)
    assert lines[-1].startswith("seed 0: finding: ")


def _trace_of_another_process(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "shardlog.testing.simulation", "--first", str(seed), "--trace"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
