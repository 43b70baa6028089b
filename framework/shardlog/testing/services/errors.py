"""What keeps a service from being there for tests: this host lacks a tool, or the service did not come up."""

from __future__ import annotations

from shardlog.errors import ConfigurationError, ShardlogError


class ServiceMissing(ConfigurationError):
    """This host lacks what the service needs; the message says what to install, or which variable to set."""


class ServiceFailed(ShardlogError):
    """The service was started and is not as it must be; the message ends with the last lines of its log."""
