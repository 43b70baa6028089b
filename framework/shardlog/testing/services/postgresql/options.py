"""What kind of PostgreSQL server is wanted."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class PostgresqlOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Of one server.

    is_durable: whether a transaction is on the disk before its caller hears of it (fsync); it survives a killed server
    either way, and a power failure only so. settings: of postgresql.conf, over all others.
    """

    is_durable: bool = False
    settings: Mapping[str, str] = {}

    def all_settings(self) -> dict[str, str]:
        """Every setting that is not the server's own default."""
        durable = "on" if self.is_durable else "off"
        return {
            "fsync": durable,
            "full_page_writes": durable,
            "synchronous_commit": durable,
            "max_connections": "100",
            "shared_buffers": "64MB",
            "deadlock_timeout": "100ms",
            "log_line_prefix": "%m [%p] %q%a ",
            "timezone": "UTC",
            **self.settings,
        }
