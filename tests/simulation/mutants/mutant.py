"""The engine with one rule taken out, in this process and for a while: what the simulation must notice.

Each mutant replaces functions of the running engine; no file is changed. `rule` says what is gone, in the words of the
protocol where it is one of its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

Change = tuple[Any, str, Any]
"""Where, which name, and what stands there instead."""


class Mutant(NamedTuple):
    """A rule that is taken out."""

    name: str
    rule: str
    changes: Callable[[], list[Change]]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The rule is gone meanwhile."""
        with ExitStack() as stack:
            for target, name, instead in self.changes():
                stack.enter_context(patch.object(target, name, instead))
            yield


def mutant(rule: str) -> Callable[[Callable[[], list[Change]]], Mutant]:
    """Make a mutant of a function that gives its changes, under that function's name."""

    def made(changes: Callable[[], list[Change]]) -> Mutant:
        return Mutant(changes.__name__, rule, changes)

    return made
