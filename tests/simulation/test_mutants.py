"""The simulation notices when a rule is taken out of the engine: one mutant at a time, from seed 0 on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shardlog.testing.simulation.runner import Failure, run_seed
from tests.simulation.mutants.catching import MUTANTS, seeds_to_catch
from tests.simulation.mutants.mutant import Mutant

SEEDS_MAX = 400
MISTAKE = re.compile(r"(?:AttributeError|ImportError|NameError|TypeError|UnboundLocalError): .*")
"""What Python raises where a mutant's function is called or looks at things in another way than the engine has it."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "simulation.md"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    caught = seeds_to_catch(mutant, SEEDS_MAX)
    assert caught is not None, f"{mutant.name} ({mutant.rule}) survived {SEEDS_MAX} seeds"
    mistake = MISTAKE.search(caught.failure.why)
    assert mistake is None, f"{mutant.name} itself does not fit the engine any more, and shows nothing: {mistake[0]}"


def test_a_mutant_is_gone_once_it_is_not_applied_any_more() -> None:
    for mutant in MUTANTS:
        with mutant.applied():
            pass
    assert not isinstance(run_seed(0), Failure)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_stands_in_the_documentation(mutant: Mutant) -> None:
    assert f"| `{mutant.name}` | {mutant.rule} |" in DOCUMENT.read_text()
