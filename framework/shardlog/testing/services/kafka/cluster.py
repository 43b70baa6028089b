"""Apache Kafka brokers as local processes on the loopback: KRaft, each broker a controller too."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.kafka.broker import Broker
from shardlog.testing.services.kafka.certificates import AUTHORITY_NAME, write_certificates
from shardlog.testing.services.kafka.options import BrokerOptions
from shardlog.testing.services.kafka.properties import PORTS, Listeners
from shardlog.testing.services.ports import free_ports

READY_SECONDS = 180.0
STARTS_MAX = 3
"""How often a cluster is tried at other ports, where another process took one meanwhile."""
PLAIN = BrokerOptions()


class KafkaCluster:
    """Brokers in a folder. Used as a context manager it serves inside of it, and nothing of it is left behind.

    directory: where data and logs stand, left as it is at the end; None takes a temporary folder, deleted at the end.
    listeners: the ports of each broker, once it was started. is_detached: whether the brokers outlive this process.
    """

    user = "shardlog"

    def __init__(
        self, options: BrokerOptions = PLAIN, directory: Path | None = None, *, is_detached: bool = False
    ) -> None:
        self.options = options
        self.password = secrets.token_urlsafe(12)
        self._is_temporary = directory is None
        self._is_detached = is_detached
        self.directory = Path(tempfile.mkdtemp(prefix="shardlog-kafka-")) if directory is None else directory.resolve()
        self.brokers: list[Broker] = []
        self.listeners: list[Listeners] = []

    @property
    def bootstrap(self) -> str:
        """host:port,... without encryption."""
        return ",".join(broker.address for broker in self.brokers)

    @property
    def secured_bootstrap(self) -> str:
        """host:port,... with TLS and SCRAM-SHA-256 by `user` and `password`. Raises ServiceFailed without them."""
        if not self.options.is_secured:
            raise ServiceFailed("these brokers have no secured listener: start them with is_secured=True")
        return ",".join(broker.secured_address for broker in self.brokers)

    @property
    def proxied_addresses(self) -> list[str]:
        """Where the ports of a proxy in front of these brokers have to lead. Raises ServiceFailed without one."""
        if not self.options.proxy_ports:
            raise ServiceFailed("these brokers know of no proxy: start them with proxy_ports")
        return [broker.proxied_address for broker in self.brokers]

    @property
    def authority_path(self) -> Path:
        """The certificate that the secured listeners' are signed by, as a PEM file."""
        return self.directory / AUTHORITY_NAME

    def start(self) -> None:
        """Start all brokers and wait until they serve. Raises ServiceMissing and ServiceFailed."""
        for attempt in range(1, STARTS_MAX + 1):
            try:
                self._start()
                return
            except ServiceFailed as failure:
                self._kill()
                if attempt == STARTS_MAX or "Address already in use" not in str(failure):
                    raise
            except BaseException:
                self._kill()
                raise

    def start_again(self, listeners: list[Listeners], nodes: list[int]) -> None:
        """Start brokers that an earlier cluster left in this folder, with their data and at their ports.

        listeners: of all brokers, as that cluster had them. nodes: those to start, from 1; the others are left alone.
        Raises ServiceMissing and ServiceFailed.
        """
        self.listeners = listeners
        self.brokers = [self._broker(node) for node in range(1, len(listeners) + 1)]
        try:
            for node in nodes:
                self.brokers[node - 1].start()
            self.wait_until_ready()
        except BaseException:
            self._kill()
            raise

    def stop(self) -> None:
        """Kill what runs; a temporary folder is deleted."""
        self._kill()
        if self._is_temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def wait_until_ready(self, within_s: float = READY_SECONDS) -> None:
        """Wait until every broker that runs serves."""
        for broker in self.brokers:
            if broker.is_running:
                broker.wait_until_ready(within_s)

    def __enter__(self) -> KafkaCluster:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.brokers = self._new_brokers()
        if self.options.is_secured:
            write_certificates(self.directory)
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(lambda broker: broker.format(self.user, self.password), self.brokers))
        for broker in self.brokers:
            broker.start()
        self.wait_until_ready()

    def _new_brokers(self) -> list[Broker]:
        count = self.options.brokers
        ports = free_ports(PORTS * count)
        self.listeners = [Listeners(*ports[PORTS * place : PORTS * (place + 1)]) for place in range(count)]
        for node in range(1, count + 1):
            shutil.rmtree(self._folder(node), ignore_errors=True)
        return [self._broker(node) for node in range(1, count + 1)]

    def _broker(self, node: int) -> Broker:
        return Broker(node, self._folder(node), self.listeners, self.options, self._is_detached)

    def _folder(self, node: int) -> Path:
        return self.directory / f"broker-{node}"

    def _kill(self) -> None:
        for broker in self.brokers:
            if broker.is_running:
                broker.kill()
