"""An application: domains and projections, checked as a whole before any of it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from shardlog.errors import DomainError
from shardlog.model.aggregate import Aggregate
from shardlog.model.application_checks import problems
from shardlog.model.domain import Domain
from shardlog.model.given import check_each
from shardlog.model.message_checks import holds_personal
from shardlog.model.messages import Event
from shardlog.model.names import listed
from shardlog.model.process import ProcessManager
from shardlog.model.projection import Projection


class Application:
    """All that one deployment runs. Raises DomainError with every problem, a line each.

    has_key_store: whether values about persons can be sealed; without, a Personal field is refused.
    aggregates: by category. process_managers and projections: by name. holds_personal: whether any message has a
    Personal field, so that whoever decides must seal them.
    """

    def __init__(
        self, domains: Sequence[Domain], projections: Sequence[Projection] = (), has_key_store: bool = False
    ) -> None:
        domains = check_each(Domain, domains, "application", "domains")
        projections = check_each(Projection, projections, "application", "projections")
        found = problems(domains, projections, has_key_store)
        if found:
            raise DomainError(f"the application has {len(found)} problem(s):\n{listed(found)}")
        self.domains: Final = domains
        self.aggregates: Final[Mapping[str, Aggregate[Any, Any, Any]]] = MappingProxyType(
            {category: aggregate for domain in domains for category, aggregate in domain.aggregates.items()}
        )
        self.process_managers: Final[Mapping[str, ProcessManager]] = MappingProxyType(
            {manager.name: manager for domain in domains for manager in domain.process_managers}
        )
        self.projections: Final[Mapping[str, Projection]] = MappingProxyType({p.name: p for p in projections})
        self.holds_personal: Final = any(
            holds_personal(message) for aggregate in self.aggregates.values() for message in aggregate.messages()
        )
        self._domains_by_category = {category: domain for domain in domains for category in domain.aggregates}

    def domain_of(self, category: str) -> Domain:
        """The domain that a category belongs to. Raises KeyError for a category of none."""
        return self._domains_by_category[category]

    def categories_heard(self, projection: Projection) -> frozenset[str]:
        """The categories whose business rejections a projection hears.

        Those that it names; else all of the domains whose events it hears; all there are where it hears no event.
        """
        if projection.rejection_handler is None:
            return frozenset()
        if projection.rejections:
            return frozenset(projection.rejections)
        domains = {d.name for e in projection.heard_events for d in self.domains if _knows(d, e)}
        return frozenset(c for c, d in self._domains_by_category.items() if d.name in domains or not domains)


def _knows(domain: Domain, event: type[Event]) -> bool:
    return any(event in aggregate.evolutions for aggregate in domain.aggregates.values())
