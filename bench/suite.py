"""Which benchmarks there are, and what each is run with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple


class Benchmark(NamedTuple):
    """One benchmark: a module of this package with `--json` and `--small`, and its options."""

    name: str
    module: str
    options: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What somebody types to run it."""
        return " ".join(("python", "-m", self.module, *self.options))


ALL = (
    Benchmark("execute-memory", "bench.execute", ("--journal", "memory")),
    Benchmark("execute-sqlite", "bench.execute", ("--journal", "sqlite")),
    Benchmark("transfers", "bench.transfers"),
    Benchmark("steps", "bench.steps"),
    Benchmark("memory", "bench.memory"),
    Benchmark("replay", "bench.replay"),
    Benchmark("recovery", "bench.recovery"),
    Benchmark("snapshot", "bench.snapshot"),
    Benchmark("project", "bench.project", ("--database", "sqlite")),
    Benchmark("http", "bench.http"),
)
"""In the order in which they run."""


def present() -> tuple[Benchmark, ...]:
    """Those whose modules are here."""
    return tuple(benchmark for benchmark in ALL if find_spec(benchmark.module) is not None)
