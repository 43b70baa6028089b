"""Which benchmarks there are, and what each is run with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

SMALL = ("--small",)
KAFKA_SMALL = ("--small", "--without-peers")
"""Without those whose packages must be fetched first."""


class Benchmark(NamedTuple):
    """One benchmark: a module of this package that takes `--json`, and its options.

    small: what makes it a matter of seconds, to see that it works; its figures mean nothing then.
    """

    name: str
    module: str
    options: tuple[str, ...] = ()
    small: tuple[str, ...] = SMALL

    @property
    def command(self) -> str:
        """What somebody types to run it."""
        return " ".join(("python", "-m", self.module, *self.options))


ALL = (
    Benchmark("execute-memory", "bench.execute", ("--journal", "memory")),
    Benchmark("execute-sqlite", "bench.execute", ("--journal", "sqlite")),
    Benchmark("execute-kafka", "bench.execute", ("--journal", "kafka", "--commands", "200000"), KAFKA_SMALL),
    Benchmark(
        "execute-kafka-1m",
        "bench.execute",
        ("--journal", "kafka", "--streams", "1000000", "--commands", "200000", "--without-peers"),
    ),
    Benchmark("transfers", "bench.transfers"),
    Benchmark("steps", "bench.steps"),
    Benchmark("memory", "bench.memory"),
    Benchmark("replay", "bench.replay"),
    Benchmark("replay-kafka", "bench.replay", ("--journal", "kafka")),
    Benchmark(
        "replay-kafka-1m", "bench.replay", ("--journal", "kafka", "--streams", "1000000", "--commands", "1500000")
    ),
    Benchmark("takeover", "bench.takeover"),
    Benchmark("recovery", "bench.recovery", small=("--streams", "1000", "--tail", "1000")),
    Benchmark("snapshot", "bench.snapshot", small=("--streams", "2000", "--seconds", "0.2")),
    Benchmark("project", "bench.project", ("--database", "sqlite")),
    Benchmark("filtering", "bench.filtering"),
    Benchmark("project-postgresql", "bench.project", ("--database", "postgresql")),
    Benchmark("writes", "bench.writes"),
    Benchmark("http", "bench.http", small=("--seconds", "0.5", "--lines", "2000", "--streams", "100")),
)
"""In the order in which they run."""


def present() -> tuple[Benchmark, ...]:
    """Those whose modules are here."""
    return tuple(benchmark for benchmark in ALL if find_spec(benchmark.module) is not None)
