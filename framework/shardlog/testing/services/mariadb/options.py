"""What kind of MariaDB server is wanted."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class MariadbOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Of one server.

    is_durable: whether a transaction is on the disk before its caller hears of it; it survives a killed server either
    way, and a power failure only so. settings: of the server, over all others, as `{"max-connections": "5"}`.
    """

    is_durable: bool = False
    settings: Mapping[str, str] = {}

    def all_settings(self) -> dict[str, str]:
        """Every setting that is not the server's own default."""
        return {
            "innodb-flush-log-at-trx-commit": "1" if self.is_durable else "2",
            "innodb-buffer-pool-size": "64M",
            "innodb-log-file-size": "16M",
            "max-connections": "100",
            "skip-name-resolve": "ON",
            "skip-log-bin": "ON",
            "local-infile": "OFF",
            "default-time-zone": "+00:00",
            **self.settings,
        }
