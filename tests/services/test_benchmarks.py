"""Every benchmark runs and ends in one JSON object whose figures are named with their units; the page holds them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from array import array
from pathlib import Path
from time import perf_counter
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from bench import results, suite, targets, tpcb
from bench.kafka.latency import point
from bench.load import Answers
from bench.page import DOCS, page, write_page
from shardlog.model.outcomes import CommandUnavailable
from shardlog.testing.services.kafka.found import ADDRESS_VARIABLE
from shardlog.testing.services.postgresql.programs import find_programs

EXECUTE = {
    "commands_per_s",
    "ack_ms_p50",
    "ack_ms_p99",
    "frames_of_1_commands_per_s",
    "frames_of_1_ack_ms_p50",
    "frames_of_1_ack_ms_p99",
    "peer_commands_per_s",
    "ratio",
    "bare_sqlite_commands_per_s",
    "bare_msgspec_commands_per_s",
}
EXECUTE_KAFKA = {
    "commands_per_s",
    "frame_ack_ms_p50",
    "limit_commands_per_s",
    "limit_ratio",
    "transactions_ack_ms_p50",
    "peer_latency_ratio",
    "ack_ms_p50",
    "ack_ms_p99",
    "ack_at_60_percent_ms_p50",
    "local_ack_ms_p50",
}
ON_KAFKA = ("project-postgresql", "execute-kafka", "execute-kafka-1m", "replay-kafka", "replay-kafka-1m", "takeover")
POINT = {"offered_per_s", "answered_per_s", "ms_p50", "ms_p99", "ms_p999"}
PEER = {"pgbench_per_s", "ratio"}
PROJECT = {"events_per_s", "one_row_an_event_events_per_s", "rows_per_s", "wide_upserts_events_per_s"} | {
    "rebuild_events_per_s",
    "lag_s_p50",
    "lag_s_p99",
    "lag_appended_events_per_s",
}
FIGURES = {
    "execute-memory": EXECUTE,
    "execute-sqlite": EXECUTE,
    "execute-kafka": EXECUTE_KAFKA,
    "execute-kafka-1m": EXECUTE_KAFKA,
    "replay-kafka": {"events_per_s", "events", "streams"},
    "replay-kafka-1m": {"events_per_s", "events", "streams"},
    "takeover": {"takeover_s", "imports_s", "control_and_topics_s", "inputs_s", "replay_s", "claim_s"},
    "steps": {"decode_record_us", "decode_payload_us", "decide_us", "encode_event_us", "decode_event_us", "evolve_us"}
    | {"entry_us", "check_us", "window_key_us", "chain_us", "append_us", "command_us"},
    "memory": {"bytes_per_stream", "counted_bytes_per_stream", "window_of_a_million_ids_mb"},
    "replay": {"events_per_s", "events", "streams"},
    "recovery": {"recovery_s_1000_streams"},
    "snapshot": {"snapshot_s", "pause_ms_max", "throughput_ratio_during"},
    "project": PROJECT,
    "project-postgresql": PROJECT
    | {"beside_a_build_lag_s_p50", "beside_a_build_lag_s_p99", "beside_a_build_events_per_s"}
    | {"faust_events_per_s", "faust_single_events_per_s", "faust_ratio"}
    | {"eventsourcing_events_per_s", "eventsourcing_ratio"},
    "filtering": {"unheard_cpu_us_an_event", "unheard_cost_ratio", "few_project_cpu_us_an_event"},
    "writes": {"unnest_rows_per_s", "copy_rows_per_s", "copy_ratio"},
    "http": {"single_commands_per_s", "single_ms_p99", "ndjson_commands_per_s"},
}
BENCHMARKS = {benchmark.name: benchmark for benchmark in suite.present()}
WITHOUT_POSTGRESQL = """
import sys
from bench import transfers
from shardlog.testing.services.postgresql import programs
programs.FOLDERS = ()
sys.argv[1:] = ["--small", "--json"]
sys.exit(transfers.main())
"""


def small(name: str) -> dict[str, Any]:
    """The figures of a benchmark's small form."""
    benchmark = BENCHMARKS[name]
    done = subprocess.run(
        [sys.executable, "-m", benchmark.module, *benchmark.options, *benchmark.small, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", [name for name in FIGURES if name in BENCHMARKS and name not in ON_KAFKA])
def test_a_benchmark_ends_with_its_figures(name: str) -> None:
    found = small(name)
    assert FIGURES[name] <= found.keys()
    assert all(found[figure] > 0 for figure in FIGURES[name])
    assert all(point[figure] > 0 for point in found.get("curve", ()) for figure in POINT)
    assert bool(found.get("curve")) == name.startswith("execute")


@pytest.mark.parametrize("name", ON_KAFKA)
def test_a_benchmark_on_kafka_ends_with_its_figures_and_leaves_no_topic_behind(
    name: str, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, kafka)
    found = small(name)
    assert FIGURES[name] <= found.keys()
    assert all(found[figure] > 0 for figure in FIGURES[name])
    assert bool(found.get("curve")) == name.startswith("execute")
    left = [topic for topic in AdminClient({"bootstrap.servers": kafka}).list_topics().topics if "bench" in topic]
    assert left == []


@pytest.mark.parametrize(("ci", "exit_code"), [("true", 1), ("", 0)])
def test_a_benchmark_on_kafka_without_a_broker_says_what_to_install_and_fails_in_ci_alone(
    ci: str, exit_code: int, tmp_path: Path
) -> None:
    without = {name: value for name, value in os.environ.items() if name not in (ADDRESS_VARIABLE, "JAVA_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "bench.replay", "--journal", "kafka", "--small", "--json"],
        env={**without, "PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, "there is no `java`" in done.stderr) == (exit_code, True)
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def test_a_command_is_acknowledged_by_the_first_frame_that_settles_it_and_late_from_when_it_was_due() -> None:
    due = array("d", [1.0, 2.0, 3.0, 4.0])
    found = point(due, [(1, 2.0), (3, 7.0), (4, 7.5)], per_s=1, warm_up=1)
    assert (found.ms_p50, found.ms_p99) == (4_000, 5_000)
    assert found.answered_per_s == pytest.approx(3 / 5.5)


def test_every_benchmark_but_transfers_stands_in_the_table_above() -> None:
    assert {*FIGURES, "transfers"} == {benchmark.name for benchmark in suite.ALL}


@pytest.mark.skipif(find_programs() is None, reason="PostgreSQL 15 with pgbench is not here")
def test_transfers_are_compared_with_pgbench_for_each_number_of_clients() -> None:
    found = small("transfers")
    assert all(row[figure] > 0 for row in (found, *found["clients"]) for figure in ("transfers_per_s", *PEER))


@pytest.mark.parametrize(("ci", "exit_code"), [("true", 1), ("", 0)])
def test_transfers_without_postgresql_say_what_to_install_and_fail_in_ci_alone(ci: str, exit_code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSTGRESQL],
        env={**os.environ, "PATH": "", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, "apt-get install postgresql-15" in done.stderr) == (exit_code, True)
    assert found["transfers_per_s"] > 0
    assert all(row[figure] is None for row in (found, *found["clients"]) for figure in PEER)


def test_a_latency_runs_from_when_a_command_was_due_however_late_it_was_sent() -> None:
    now = perf_counter()
    answers = Answers([now - 3_000, now - 2_000, now - 1_000, now - 500])
    answers.deliver([(0, "an outcome"), (2, "an outcome")])
    answers.deliver([(1, "an outcome")])
    assert not answers.all_there.is_set()
    answers.deliver([(3, CommandUnavailable("unavailable", "the queue is full", 1))])
    assert answers.all_there.is_set()
    point = answers.point(offered_per_s=1)
    assert (point.unavailable, point.is_met) == (1, False)
    assert (round(point.ms_p50, -5), round(point.ms_p99, -5)) == (2_000_000, 3_000_000)


@pytest.mark.parametrize("wrong", [(3, 7, 7, 7, 7), (2, 7, 7, 7, 8), (2, 0, 7, 7, 7)])
def test_a_transfer_that_is_missing_or_half_done_fails_the_benchmark(wrong: tuple[int, int, int, int, int]) -> None:
    tpcb.check(tpcb.Sums(2, 7, 7, 7, 7), transfers=2)
    with pytest.raises(AssertionError, match="after 2 transfers"):
        tpcb.check(tpcb.Sums(*wrong), transfers=2)


# -- the page ----------------------------------------------------------------------------------------------------------
def test_the_page_is_made_of_the_results_and_the_template_that_are_here(tmp_path: Path) -> None:
    write_page(results.load(), tmp_path)
    assert (tmp_path / "performance.md").read_text() == (DOCS / "performance.md").read_text()


def test_each_picture_of_the_page_is_there_for_light_and_for_dark_pages() -> None:
    named = re.findall(r'(?:src|srcset)="([^"]+)"', (DOCS / "performance.md").read_text())
    assert sorted(file.rpartition("-")[2] for file in named) == ["dark.svg"] * (len(named) // 2) + ["light.svg"] * (
        len(named) // 2
    )
    for file in named:
        assert ElementTree.parse(DOCS / file).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_page_without_results_says_what_was_not_measured() -> None:
    text = page(results.Results({}, {}), {})
    assert "Not measured yet: `transfers`" in text
    assert "$" not in text


def test_a_missed_aim_is_in_bold_and_named_and_one_that_is_reached_is_not() -> None:
    measured = {
        "execute-sqlite": results.Measured("python -m bench.execute", "2026-01-01", {"commands_per_s": 100_000.0})
    }
    measured |= {"memory": results.Measured("python -m bench.memory", "2026-01-01", {"bytes_per_stream": 150.0})}
    found = results.Results({}, measured)
    assert "**100,000/s**" in targets.table(found)
    assert "| 150 B |" in targets.table(found)
    assert targets.summary(found).startswith(
        "1 of 2 aims are reached in the run below; missed, and in bold: commands, "
    )


def test_results_are_read_back_as_they_were_kept(tmp_path: Path) -> None:
    kept = results.Results({"cores": "2"}, {"memory": results.Measured("m", "2026-01-01", {"a_us": 1.5, "b": None})})
    results.keep(kept, tmp_path / "results.json")
    assert results.load(tmp_path / "results.json") == kept


def test_a_results_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"machine": []}')
    with pytest.raises(msgspec.ValidationError):
        results.load(tmp_path / "results.json")
