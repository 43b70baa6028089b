"""What a scrape says, parsed as Prometheus' own library does."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from shardlog.telemetry.metrics import as_text, registry_of
from shardlog.telemetry.samples import Figures

Key = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """Values by name and labels."""

    def __init__(self, text: str) -> None:
        self.values: dict[Key, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.values, f"{key} is there twice"
                self.values[key] = sample.value

    def value(self, name: str, **labels: str) -> float:
        """One value. Raises KeyError where it is not there."""
        return self.values[name, frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """The sum over all that have these labels, and perhaps others."""
        wanted = set(labels.items())
        return sum(value for (found, having), value in self.values.items() if found == name and wanted <= having)

    def has(self, name: str) -> bool:
        """Whether there is a value of that name."""
        return any(found == name for found, _ in self.values)


def scrape(figures: Iterable[Figures]) -> Scrape:
    """What somebody would be shown who scrapes these."""
    shown = list(figures)
    return Scrape(as_text(registry_of(lambda: shown)).decode())
