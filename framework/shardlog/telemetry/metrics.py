"""Figures for Prometheus: a registry of a process object's own, read when it is scraped, and a server that shows it.

It needs the extra `metrics`. Nothing else of shardlog imports Prometheus's library.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import accumulate
from types import TracebackType
from typing import TypeAlias
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shardlog.errors import ConfigurationError
from shardlog.telemetry import catalogue
from shardlog.telemetry.counts import Distribution
from shardlog.telemetry.samples import Source, samples

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class FiguresCollector(Collector):
    """Asks its sources at every scrape; between scrapes it costs nothing."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sources)

    def collect(self) -> Iterable[Metric]:
        """All metrics of the catalogue that have a value."""
        families: dict[str, _Family] = {}
        for source in self._sources:
            for name, labels, value in samples(source()):
                family = families.get(name)
                if family is None:
                    family = families[name] = _family(catalogue.METRICS[name])
                if isinstance(value, Distribution):
                    assert isinstance(family, HistogramMetricFamily)
                    family.add_metric(labels, *_buckets(value))
                else:
                    assert not isinstance(family, HistogramMetricFamily)
                    family.add_metric(labels, value)
        return families.values()

    def describe(self) -> Iterable[Metric]:
        """All that there may be, so that a registry refuses two of one name."""
        return [_family(metric) for metric in catalogue.METRICS.values()]


def registry_of(*sources: Source) -> CollectorRegistry:
    """A registry of one's own: engines in one process have one each. sources: called at each scrape, in any thread."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FiguresCollector(sources))
    return registry


def as_text(registry: CollectorRegistry) -> bytes:
    """What a scrape gets, of type CONTENT_TYPE."""
    return generate_latest(registry)


class MetricsServer:
    """Serves `GET /metrics` from a thread of its own until it is closed. port: where it listens."""

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def start_metrics_server(registry: CollectorRegistry, port: int, host: str = "127.0.0.1") -> MetricsServer:
    """Serve a registry. port: 0 takes a free one. Raises ConfigurationError for an address that cannot be had.

    It has no authentication: whoever lets others reach it (`[metrics] allow_remote`) must have meant to.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"metrics cannot be served at {host}:{port}: {error}; take another [metrics] port, or 0 for a free one"
        ) from error
    return MetricsServer(server, thread)


def _family(metric: catalogue.Metric) -> _Family:
    if metric.kind == "counter":
        return CounterMetricFamily(metric.name, metric.about, labels=metric.labels)
    if metric.kind == "gauge":
        return GaugeMetricFamily(metric.name, metric.about, labels=metric.labels)
    return HistogramMetricFamily(metric.name, metric.about, labels=metric.labels)


def _buckets(distribution: Distribution) -> tuple[list[tuple[str, float]], float]:
    """Counts up to each bound, as Prometheus wants them, and the sum."""
    bounds = [*(str(float(bound)) for bound in distribution.bounds), "+Inf"]
    return list(zip(bounds, accumulate(distribution.counts()), strict=True)), distribution.sum
