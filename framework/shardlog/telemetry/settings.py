"""The settings of metrics and logs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from shardlog.ranges import check_ranges


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there are metrics, and where a role without HTTP of its own serves them."""

    enabled: bool = True
    """Whether metrics are served; `shardlog dev` does at its own address."""
    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    """The address at which other roles serve them."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """The port at which other roles serve them, such as 9464; 0 takes a free one, which they say."""
    allow_remote: bool = False
    """Whether other hosts may read them there; there is no authentication."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "metrics")


class LoggingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What commands of the command line log, on the standard error."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    """The least level that is logged."""
    format: Literal["text", "json"] = "text"
    """Lines for people, or a JSON object a line for programs."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "logging")
