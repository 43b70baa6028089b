"""Brokers that outlive the command that starts them: where they stand, and how they are started again."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.kafka.cluster import KafkaCluster
from shardlog.testing.services.kafka.options import BrokerOptions
from shardlog.testing.services.kafka.properties import Listeners
from shardlog.testing.services.ports import is_free
from shardlog.testing.services.processes import is_process_of, kill_by_pid

STATE_NAME = "brokers.json"
MARK = "kafka.Kafka"
"""What stands in a broker's command line."""

FREE_SECONDS = 5.0
"""How long the system may take to close the ports of a broker that was killed just now."""
LOOK_SECONDS = 0.05


class KeptBrokers(msgspec.Struct, frozen=True):
    """What is written beside their data. listeners: of each broker, its ports. pids: of each, by the last start."""

    bootstrap: str
    listeners: list[Listeners]
    pids: list[int]


class Up(NamedTuple):
    """What `up` did. bootstrap: host:port,... did: in words, for whoever asked for it."""

    bootstrap: str
    did: str


def up(directory: Path, brokers: int) -> Up:
    """Have so many brokers whose data and logs stand in this folder; what they hold already is kept.

    Those that run are left alone, those that ended are started again at their ports. Raises ServiceFailed where another
    number of brokers stands there, where a port is taken meanwhile, and as KafkaCluster.start does.
    """
    kept = _read(directory)
    cluster = KafkaCluster(
        BrokerOptions(brokers=brokers, is_for_throughput=True, heap_mb=1_000), directory, is_detached=True
    )
    if kept is None:
        cluster.start()
        _write(directory, cluster, [broker.pid for broker in cluster.brokers])
        return Up(cluster.bootstrap, f"started, with new data in {directory}")
    if len(kept.pids) != brokers:
        raise ServiceFailed(
            f"{directory} holds the data of {len(kept.pids)} broker(s), and {brokers} are wanted: ask for "
            f"{len(kept.pids)}, or delete those data first (make kafka-down)"
        )
    ended = [node for node in range(1, brokers + 1) if not _runs(kept, directory, node)]
    if not ended:
        return Up(kept.bootstrap, f"running already, with the data of {directory}")
    _check_ports(kept, ended, directory)
    cluster.start_again(kept.listeners, ended)
    pids = [cluster.brokers[node - 1].pid if node in ended else kept.pids[node - 1] for node in range(1, brokers + 1)]
    _write(directory, cluster, pids)
    return Up(kept.bootstrap, f"started again with the data of {directory}")


def down(directory: Path) -> int | None:
    """End the brokers of this folder and delete it; returns how many ran, None where none stand there. Raises
    ServiceFailed."""
    kept = _read(directory)
    if kept is None:
        return None
    running = [node for node in range(1, len(kept.pids) + 1) if _runs(kept, directory, node)]
    ended = sum(kill_by_pid(kept.pids[node - 1], MARK) for node in running)
    shutil.rmtree(directory)
    return ended


def _runs(kept: KeptBrokers, directory: Path, node: int) -> bool:
    return is_process_of(kept.pids[node - 1], MARK, directory / f"broker-{node}")


def _check_ports(kept: KeptBrokers, nodes: list[int], directory: Path) -> None:
    give_up = time.monotonic() + FREE_SECONDS
    for node in nodes:
        own = kept.listeners[node - 1]
        for port in (own.plain, own.controller):
            while not is_free(port) and time.monotonic() < give_up:
                time.sleep(LOOK_SECONDS)
            if not is_free(port):
                raise ServiceFailed(
                    f"Kafka broker {node} of {directory} has data, and its port {port} is taken by another process: "
                    f"end what listens there (ss -ltnp 'sport = :{port}' shows it) and try again; or delete these data "
                    "and begin anew elsewhere (make kafka-down, then make kafka-up)"
                )


def _read(directory: Path) -> KeptBrokers | None:
    path = directory / STATE_NAME
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptBrokers)
    except msgspec.DecodeError as error:
        raise ServiceFailed(
            f"{path} does not say which brokers stand there ({error}), as where another version wrote it: end their "
            f"processes, if they run, and delete {directory}"
        ) from error


def _write(directory: Path, cluster: KafkaCluster, pids: list[int]) -> None:
    kept = KeptBrokers(cluster.bootstrap, cluster.listeners, pids)
    (directory / STATE_NAME).write_bytes(msgspec.json.encode(kept))
