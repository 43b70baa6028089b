"""Brokers that outlive the command: `python -m shardlog.testing.services.kafka up|down`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from shardlog.errors import ShardlogError
from shardlog.testing.services.kafka.cluster import KafkaCluster
from shardlog.testing.services.kafka.options import BrokerOptions
from shardlog.testing.services.processes import kill_by_pid

STATE_NAME = "brokers.json"


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, or 1 with what is wrong on the error output."""
    parser = argparse.ArgumentParser(prog="python -m shardlog.testing.services.kafka", description=__doc__)
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("--brokers", type=int, default=1, help="how many are started, 1 to 9 (default 1)")
    parser.add_argument("--directory", type=Path, default=Path("var/kafka"), help="where data and logs stand")
    given = parser.parse_args(arguments)
    directory = given.directory.resolve()
    try:
        if given.what == "up":
            print(up(directory, given.brokers))
        else:
            print(f"{down(directory)} broker(s) ended, and {directory} is deleted")
    except ShardlogError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def up(directory: Path, brokers: int) -> str:
    """Start brokers whose data and logs stand in this folder, in the place of those that run; returns host:port,..."""
    options = BrokerOptions(brokers=brokers, is_for_throughput=True, heap_mb=1_000)
    down(directory)
    cluster = KafkaCluster(options, directory, is_detached=True)
    cluster.start()
    state = {"bootstrap": cluster.bootstrap, "pids": [broker.pid for broker in cluster.brokers]}
    (directory / STATE_NAME).write_text(json.dumps(state))
    return cluster.bootstrap


def down(directory: Path) -> int:
    """End the brokers of this folder and delete it; returns how many there were."""
    state = directory / STATE_NAME
    if not state.exists():
        return 0
    pids = json.loads(state.read_text())["pids"]
    ended = sum(kill_by_pid(pid, "kafka.Kafka") for pid in pids)
    shutil.rmtree(directory)
    return ended


if __name__ == "__main__":
    sys.exit(main())
