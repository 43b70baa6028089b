"""What kind of brokers are wanted."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shardlog.errors import ConfigurationError

BROKERS_MAX = 9


class BrokerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Of all brokers of a cluster.

    brokers: 1 to 9, each a controller too; replicated topics want 3. is_secured: whether each has a second listener
    with TLS and SASL/SCRAM. session_timeout_ms: after which a silent broker is taken for dead, None for Kafka's own
    9,000; tests of faults take 2,000. heap_mb: of each JVM. is_for_throughput: compile fully; by default a JVM is made
    to start fast. proxy_ports: one for each broker: it has one more listener then, and clients that come by it are told
    these ports of the loopback, so that they stay behind a proxy. properties: of server.properties, over all others.
    """

    brokers: int = 1
    is_secured: bool = False
    session_timeout_ms: int | None = None
    heap_mb: int = 400
    is_for_throughput: bool = False
    proxy_ports: tuple[int, ...] = ()
    properties: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        if not 1 <= self.brokers <= BROKERS_MAX:
            raise ConfigurationError(f"{self.brokers} brokers are wanted, and must be 1 to {BROKERS_MAX}")
        if len(self.proxy_ports) not in (0, self.brokers):
            raise ConfigurationError(
                f"proxy_ports names {len(self.proxy_ports)} port(s), and there are {self.brokers} brokers: one each"
            )

    @property
    def replicas(self) -> int:
        """How often Kafka's own topics are kept."""
        return min(self.brokers, 3)

    @property
    def in_sync_min(self) -> int:
        """How many replicas must have a record before it is acknowledged."""
        return 2 if self.brokers >= 3 else 1
