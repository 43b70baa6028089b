"""The text of one broker's server.properties, and of its logging."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from shardlog.testing.services.kafka.certificates import BROKER_NAME
from shardlog.testing.services.kafka.options import BrokerOptions

SCRAM = "SCRAM-SHA-256"
READY_LINE = "Kafka Server started"
"""What a broker logs when it serves."""
LOGGING = f"""\
status = error
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c{{1}})%n%throwable{{short}}
# says {READY_LINE!r}
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
logger.settings.name = org.apache.kafka.common.config
logger.settings.level = error
"""


class Listeners(NamedTuple):
    """One broker's ports on the loopback; `secured` and `proxied` are used where there is such a listener."""

    plain: int
    controller: int
    secured: int
    proxied: int


PORTS = len(Listeners._fields)
"""How many ports one broker takes."""


def server_properties(node: int, folder: Path, all_listeners: list[Listeners], options: BrokerOptions) -> str:
    """The file for one broker. node: from 1. folder: its own. all_listeners: of the brokers in their order."""
    own = all_listeners[node - 1]
    voters = ",".join(f"{number}@127.0.0.1:{one.controller}" for number, one in enumerate(all_listeners, 1))
    listeners = [f"PLAINTEXT://127.0.0.1:{own.plain}", f"CONTROLLER://127.0.0.1:{own.controller}"]
    if options.is_secured:
        listeners.append(f"SECURED://127.0.0.1:{own.secured}")
    advertised = [listener for listener in listeners if not listener.startswith("CONTROLLER")]
    if options.proxy_ports:
        listeners.append(f"PROXIED://127.0.0.1:{own.proxied}")
        advertised.append(f"PROXIED://127.0.0.1:{options.proxy_ports[node - 1]}")
    properties = {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(listeners),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL,PROXIED:PLAINTEXT"
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "default.replication.factor": str(options.replicas),
        "min.insync.replicas": str(options.in_sync_min),
        "offsets.topic.replication.factor": str(options.replicas),
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": str(options.replicas),
        "transaction.state.log.min.isr": str(options.in_sync_min),
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": str(options.replicas),
        "share.coordinator.state.topic.min.isr": str(options.in_sync_min),
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.dedupe.buffer.size": "8388608",
        "num.io.threads": "4",
        "num.network.threads": "2",
    }
    if options.is_secured:
        properties |= _secured(folder.parent)
    if options.session_timeout_ms is not None:
        properties |= _short_session(options.session_timeout_ms)
    properties |= options.properties
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _secured(certificates: Path) -> dict[str, str]:
    return {
        "sasl.enabled.mechanisms": SCRAM,
        "listener.name.secured.ssl.keystore.type": "PEM",
        "listener.name.secured.ssl.keystore.location": str(certificates / BROKER_NAME),
        f"listener.name.secured.{SCRAM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }


def _short_session(session_timeout_ms: int) -> dict[str, str]:
    return {
        "broker.session.timeout.ms": str(session_timeout_ms),
        "broker.heartbeat.interval.ms": str(max(session_timeout_ms // 4, 100)),
        "controller.quorum.fetch.timeout.ms": str(min(session_timeout_ms, 2_000)),
    }
