"""Many seeds over several processes: counts, and for a seed that fails what it found and how to see it again."""

from __future__ import annotations

import logging
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from shardlog.testing.simulation.finding import Finding
from shardlog.testing.simulation.simulation import Outcome, Simulation

REPRODUCE = "python -m shardlog.testing.simulation --first {seed} --seeds 1 --trace"


class Failure(NamedTuple):
    """A seed that failed, and why."""

    seed: int
    why: str


class Counts(NamedTuple):
    """What many runs were like, summed up."""

    seeds: int = 0
    steps: int = 0
    commands: int = 0
    answers: int = 0
    frames: int = 0
    entries: int = 0
    crashes: int = 0
    findings: int = 0

    def plus(self, result: Outcome | Failure) -> Counts:
        """With one more run."""
        if isinstance(result, Failure):
            return self._replace(seeds=self.seeds + 1, findings=self.findings + 1)
        return Counts(
            self.seeds + 1,
            self.steps + result.steps,
            self.commands + result.commands,
            self.answers + result.answers,
            self.frames + result.frames,
            self.entries + result.entries,
            self.crashes + result.crashes,
            self.findings,
        )


def run_seed(seed: int) -> Outcome | Failure:
    """Run one seed. Whatever the engine raises is a failure of the seed."""
    with silent():
        try:
            return Simulation(seed).run()
        except Finding as finding:
            cause = (
                "" if finding.__cause__ is None else "".join(traceback.format_exception(finding.__cause__, limit=-6))
            )
            return Failure(seed, f"{finding}\n{cause}".rstrip())
        except Exception:  # noqa: BLE001  # the simulation goes on with the next seed, and says what this one did
            return Failure(seed, traceback.format_exc())


def run_seeds(first: int, seeds: int, jobs: int) -> Iterator[Outcome | Failure]:
    """Run seeds in a row, in the order of their numbers, over so many processes."""
    numbers = range(first, first + seeds)
    if jobs == 1 or seeds == 1:
        yield from map(run_seed, numbers)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(run_seed, numbers, chunksize=8)


def traced(seed: int) -> Sequence[str]:
    """The trace of a seed, a line each, and what it found."""
    simulation = Simulation(seed, keeps_trace=True)
    found = "no finding"
    with silent():
        try:
            simulation.run()
        except Finding as finding:
            found = f"finding: {finding}"
        except Exception:  # noqa: BLE001  # it is shown
            found = traceback.format_exc()
    return [*simulation.trace.lines(), f"seed {seed}: {found}"]


def simulate(first: int, seeds: int, jobs: int, say: Callable[[str], None]) -> Counts:
    """Run seeds, say what fails and how to see it again, and end with one line of counts."""
    began = time.perf_counter()
    counts = Counts()
    for result in run_seeds(first, seeds, jobs):
        counts = counts.plus(result)
        if isinstance(result, Failure):
            say(f"seed {result.seed}: {result.why}\n  see it again: {REPRODUCE.format(seed=result.seed)}")
    seconds = time.perf_counter() - began
    totals = ", ".join(f"{value:,} {name}" for name, value in counts._asdict().items())
    say(f"{totals}; {seconds:.0f} s, {counts.seeds / seconds * 60:,.0f} seeds a minute")
    return counts


@contextmanager
def silent() -> Iterator[None]:
    """No log lines meanwhile: crashes and refusals are what a simulation is made of."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
