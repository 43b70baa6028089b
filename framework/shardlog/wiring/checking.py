"""What settings must agree with beside themselves: the journal that is there, and who may reach the server."""

from __future__ import annotations

import contextlib
import ipaddress

from shardlog.adapters.sqlite.control import CONTROL_NAME, read_meta
from shardlog.errors import ConfigurationError
from shardlog.journal.control import Meta, merge_meta
from shardlog.model.application import Application
from shardlog.wiring.settings import Settings


def check_surroundings(settings: Settings, application: Application) -> None:
    """Nothing is written, and a server may run meanwhile.

    Raises JournalMismatch where the directory holds a journal of another shape, ConfigurationError for a host that
    others could reach while they may not, JournalError for a journal that cannot be read.
    """
    refuse_remote_settings(settings)
    if not (settings.directory / CONTROL_NAME).exists():
        return
    stored = read_meta(settings.directory)
    parts = {aggregate.category: aggregate.routing_parts or 0 for aggregate in application.aggregates.values()}
    merge_meta(stored, Meta(stored.journal, stored.name, stored.time, settings.journal.shards, parts))


def refuse_remote_settings(settings: Settings) -> None:
    """Raises ConfigurationError for a host of gateway or metrics that others could reach while they may not."""
    if not settings.gateway.allow_remote:
        refuse_remote(settings.gateway.host)
    if settings.metrics.enabled and not settings.metrics.allow_remote:
        refuse_remote(settings.metrics.host, "[metrics] allow_remote")


def refuse_remote(host: str, allowing: str = "--allow-remote, or [gateway] allow_remote,") -> None:
    """Raises ConfigurationError for a host that others could reach. allowing: what would allow it."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    if host != "localhost":
        raise ConfigurationError(
            f"host {host!r} can be reached from elsewhere, and there is no authentication: take 127.0.0.1, or allow it "
            f"with {allowing} in a network of which you trust every member"
        )
