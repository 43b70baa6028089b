"""Metrics of a process, shown: as an answer of the gateway, or by a small server of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shardlog.errors import ConfigurationError
from shardlog.gateway.problems import Answer
from shardlog.telemetry.samples import Source
from shardlog.telemetry.settings import MetricsSettings
from shardlog.wiring.checking import refuse_remote

log = logging.getLogger("shardlog.telemetry")


def metrics_answer(source: Source) -> Callable[[], Answer] | None:
    """What `GET /metrics` answers; None, and a warning, where the extra `metrics` is not installed."""
    try:
        from shardlog.telemetry.metrics import CONTENT_TYPE, as_text, registry_of
    except ModuleNotFoundError as error:
        log.warning("there is no /metrics: it needs %s (pip install 'shardlog[metrics]')", error.name)
        return None
    registry = registry_of(source)
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    return lambda: Answer(200, headers, as_text(registry))


@contextmanager
def metrics_served(settings: MetricsSettings, source: Source) -> Iterator[int | None]:
    """Serve a role's metrics at the address of the settings, until the block ends.

    Gives the port; None where they are not enabled. Raises ConfigurationError for a host that others could reach while
    they may not, for an address that cannot be had, and where the extra `metrics` is not installed.
    """
    if not settings.enabled:
        yield None
        return
    if not settings.allow_remote:
        refuse_remote(settings.host, "[metrics] allow_remote")
    try:
        from shardlog.telemetry.metrics import registry_of, start_metrics_server
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"[metrics] is enabled, and needs {error.name}: pip install 'shardlog[metrics]', or set enabled = false"
        ) from error
    with start_metrics_server(registry_of(source), settings.port, settings.host) as server:
        yield server.port
