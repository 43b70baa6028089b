"""A domain: aggregates, and the process managers between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from shardlog.errors import DomainError
from shardlog.model.aggregate import Aggregate
from shardlog.model.given import check_each, check_name
from shardlog.model.names import listed
from shardlog.model.process import ProcessManager


class Domain:
    """What one team writes. Raises DomainError with all that its aggregates lack, a line each.

    name: for people. Projections are named beside domains, in an Application.
    """

    def __init__(
        self,
        name: str,
        *,
        aggregates: Sequence[Aggregate[Any, Any, Any]],
        process_managers: Sequence[ProcessManager] = (),
    ) -> None:
        check_name("domain", name)
        owner = f"domain {name!r}"
        parts: tuple[Aggregate[Any, Any, Any], ...] = check_each(Aggregate, aggregates, owner, "aggregates")
        self.name: Final = name
        self.aggregates: Final[Mapping[str, Aggregate[Any, Any, Any]]] = MappingProxyType(
            {aggregate.category: aggregate for aggregate in parts}
        )
        self.process_managers: Final = check_each(ProcessManager, process_managers, owner, "process_managers")
        found = [problem for aggregate in parts for problem in aggregate.problems()]
        found += [
            f"two aggregates have the category {category!r}: one module imported under two names?"
            for category, count in Counter(aggregate.category for aggregate in parts).items()
            if count > 1
        ]
        if found:
            raise DomainError(f"{owner} has {len(found)} problem(s):\n{listed(found)}")
