"""Every benchmark runs, and its last line is one JSON object whose figures are named with their units."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SMALL = ["--commands", "2000", "--single", "20", "--peer", "20", "--streams", "100"]
EXECUTE = {
    "commands_per_s",
    "ack_ms_p50",
    "ack_ms_p99",
    "frames_of_1_commands_per_s",
    "frames_of_1_ack_ms_p50",
    "frames_of_1_ack_ms_p99",
    "peer_commands_per_s",
    "ratio",
}


@pytest.mark.parametrize(
    ("module", "options", "figures"),
    [
        ("bench.execute", ["--journal", "memory", *SMALL], EXECUTE),
        ("bench.execute", ["--journal", "sqlite", *SMALL], EXECUTE),
        ("bench.replay", ["--commands", "2000", "--streams", "100"], {"events_per_s", "events", "streams"}),
        (
            "bench.project",
            ["--database", "sqlite", "--events", "2000"],
            {"events_per_s", "one_row_an_event_events_per_s"},
        ),
    ],
)
def test_a_benchmark_ends_with_its_figures(module: str, options: list[str], figures: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *options, "--json"], capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert figures <= found.keys()
    assert all(found[name] > 0 for name in figures)
