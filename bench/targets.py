"""What shardlog aims at, and how far it is: one row a target, with the figure that says so."""

from __future__ import annotations

from typing import NamedTuple

from bench.report import shown
from bench.results import Results


class Target(NamedTuple):
    """One aim. aim: None where there is a figure worth showing and no aim. at_most: less is better. unit: behind both
    numbers."""

    what: str
    benchmark: str
    figure: str
    aim: float | None = None
    at_most: bool = False
    unit: str = "/s"

    def is_reached(self, value: float) -> bool:
        """Whether the value is as good as the aim; True where there is none."""
        return self.aim is None or (value <= self.aim if self.at_most else value >= self.aim)

    def aimed(self) -> str:
        """The aim as text."""
        return "" if self.aim is None else f"{'≤ ' if self.at_most else ''}{_number(self.aim)}{self.unit}"


TARGETS = (
    Target("commands, durable in SQLite, frames of 200", "execute-sqlite", "commands_per_s", 120_000),
    Target("the same into memory", "execute-memory", "commands_per_s"),
    Target("against `eventsourcing` 9.5 on SQLite", "execute-sqlite", "ratio", 40, unit=" times"),
    Target(
        "a lone command, durable in SQLite, p50",
        "execute-sqlite",
        "frames_of_1_ack_ms_p50",
        1,
        at_most=True,
        unit=" ms",
    ),
    Target(
        "a lone command, durable in SQLite, p99",
        "execute-sqlite",
        "frames_of_1_ack_ms_p99",
        10,
        at_most=True,
        unit=" ms",
    ),
    Target("single requests, open loop, highest rate kept up with", "execute-sqlite", "saturation_per_s"),
    Target("commands from Kafka to acknowledged frames, 100,000 streams", "execute-kafka", "commands_per_s", 150_000),
    Target("the same with 1M streams", "execute-kafka-1m", "commands_per_s", 100_000),
    Target("of bare librdkafka and msgspec", "execute-kafka", "limit_ratio", 0.5, unit=""),
    Target("of a transaction a batch, latency", "execute-kafka", "peer_latency_ratio", 20, unit=" times"),
    Target("single commands over Kafka, 1,000 a second, p50", "execute-kafka", "ack_ms_p50", 1, True, " ms"),
    Target("single commands over Kafka, 1,000 a second, p99", "execute-kafka", "ack_ms_p99", 10, True, " ms"),
    Target("against quixstreams, exactly once", "execute-kafka", "quixstreams_ratio", unit=" times"),
    Target("against faust-streaming, exactly once", "execute-kafka", "faust_ratio", unit=" times"),
    Target("TPC-B-like transfers, durable", "transfers", "transfers_per_s"),
    Target("against pgbench on PostgreSQL 15", "transfers", "ratio", 20, unit=" times"),
    Target("replay, 100,000 streams, events", "replay", "events_per_s", 500_000),
    Target("replay from Kafka, 100,000 streams, events", "replay-kafka", "events_per_s", 500_000),
    Target("replay from Kafka, 1M streams, events", "replay-kafka-1m", "events_per_s", 400_000),
    Target("takeover on Kafka, 100,000 streams", "takeover", "takeover_s", 5, True, " s"),
    Target("recovery of 1M streams from a snapshot", "recovery", "recovery_s_1000000_streams", 15, True, " s"),
    Target("snapshot of 1M streams under load, in all", "snapshot", "snapshot_s", 10, True, " s"),
    Target("its longest pause between frames", "snapshot", "pause_ms_max", 10, True, " ms"),
    Target("throughput meanwhile, of that without", "snapshot", "throughput_ratio_during", 0.6, unit=""),
    Target("memory of a stream beside its state", "memory", "bytes_per_stream", 200, True, " B"),
    Target("window of a million command ids", "memory", "window_of_a_million_ids_mb", 110, True, " MB"),
    Target("events into rows, counters, SQLite", "project", "events_per_s"),
    Target("events into rows, one row an event, SQLite", "project", "one_row_an_event_events_per_s"),
    Target("events into rows, counters, PostgreSQL", "project-postgresql", "events_per_s", 150_000),
    Target("rows, one an event, PostgreSQL", "project-postgresql", "rows_per_s", 60_000),
    Target(
        "lag of rows in PostgreSQL at 50,000 events a second, p99", "project-postgresql", "lag_s_p99", 1, True, " s"
    ),
    Target(
        "a build beside slows live rows at 50,000 events a second by",
        "project-postgresql",
        "build_slows_percent",
        20,
        True,
        " %",
    ),
    Target("against an agent of faust-streaming, counters", "project-postgresql", "faust_ratio", 20, unit=" times"),
    Target(
        "against `eventsourcing` 9.5's projection runner", "project-postgresql", "eventsourcing_ratio", unit=" times"
    ),
    Target("HTTP, single commands", "http", "single_commands_per_s", 4_000),
    Target("HTTP, single commands, p99", "http", "single_ms_p99", 20, True, " ms"),
    Target("HTTP, NDJSON", "http", "ndjson_commands_per_s", 60_000),
)


def table(results: Results) -> str:
    """A row a target that was measured, missed ones in bold."""
    rows = ["| what | aim | measured | command |", "|---|---:|---:|---|"]
    for target, value in _measured(results):
        number = f"{_number(value)}{target.unit}"
        number = number if target.is_reached(value) else f"**{number}**"
        command = results.benchmarks[target.benchmark].command.removeprefix("python -m ")
        rows.append(f"| {target.what} | {target.aimed()} | {number} | `{command}` |")
    return "\n".join(rows)


def summary(results: Results) -> str:
    """How many aims are reached, and which are not."""
    judged = [(target, target.is_reached(value)) for target, value in _measured(results) if target.aim is not None]
    missed = [target.what for target, is_reached in judged if not is_reached]
    said = f"{len(judged) - len(missed)} of {len(judged)} aims are reached in the run below"
    return f"{said}; missed, and in bold: {'; '.join(missed)}." if missed else f"{said}."


def _measured(results: Results) -> list[tuple[Target, float]]:
    found = ((target, results.number(target.benchmark, target.figure)) for target in TARGETS)
    return [(target, value) for target, value in found if value is not None]


def _number(value: float) -> str:
    return shown(int(value)) if value == int(value) else shown(float(value))
