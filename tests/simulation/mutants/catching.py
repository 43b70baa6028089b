"""All mutants, room by room, and how many seeds it takes until the simulation notices one."""

from __future__ import annotations

from typing import NamedTuple

from shardlog.testing.simulation.runner import Failure, run_seed
from tests.simulation.mutants import inputs, journal, projections, relay, repeats, snapshots, state
from tests.simulation.mutants.mutant import Mutant

ROOMS = (journal, repeats, state, inputs, snapshots, relay, projections)
MUTANTS = [found for room in ROOMS for found in vars(room).values() if isinstance(found, Mutant)]


class Caught(NamedTuple):
    """How a mutant was caught. seeds: how many runs it took, from seed 0 on."""

    seeds: int
    failure: Failure


def mutant_named(name: str) -> Mutant:
    """The mutant of this name."""
    return next(mutant for mutant in MUTANTS if mutant.name == name)


def seeds_to_catch(mutant: Mutant, seeds_max: int) -> Caught | None:
    """Run seeds from 0 on until one notices; None where none does."""
    with mutant.applied():
        for seed in range(seeds_max):
            result = run_seed(seed)
            if isinstance(result, Failure):
                return Caught(seed + 1, result)
    return None
