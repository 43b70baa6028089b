"""The mutants as a table for the documentation, with the seeds each took: `python -m tests.simulation.mutants`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.mutants.catching import MUTANTS, seeds_to_catch


def table(seeds_max: int) -> Iterator[str]:
    """The mutants as a table for the documentation, row by row."""
    yield "| mutant | what is taken out | seeds |"
    yield "|---|---|---|"
    for mutant in MUTANTS:
        caught = seeds_to_catch(mutant, seeds_max)
        yield f"| `{mutant.name}` | {mutant.rule} | {'none' if caught is None else caught.seeds} |"


if __name__ == "__main__":
    for row in table(1_000):
        print(row, flush=True)
