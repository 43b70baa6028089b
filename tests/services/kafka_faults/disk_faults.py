"""A broker that has no room to write."""

from __future__ import annotations

from pathlib import Path
from random import Random

from shardlog.testing.faults import FaultProxy
from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from tests.services.kafka_faults.disk import small_disk
from tests.services.kafka_faults.ground import Brokers, Ground, serving
from tests.services.kafka_faults.history import Counts
from tests.services.kafka_faults.load import wait_for

NOTICED_SECONDS = 60.0


def disk_filled(_brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """The disk under a broker of its own is filled under load, so that it ends; with room it is started again."""
    with small_disk(directory) as disk, FaultProxy(1) as proxy:
        options = BrokerOptions(proxy_ports=proxy.ports, properties={"log.dirs": str(disk.folder / "data")})
        with KafkaCluster(options) as cluster:
            proxy.forward_to(cluster.proxied_addresses)
            (broker,) = cluster.brokers
            with Ground(Brokers(cluster, proxy), directory, random).under_load() as ground:
                serving(ground.bank.executor(rate=60), ground.bank.relay())
                for _ in range(rounds):
                    ground.wait_for_frames(random.randrange(10, 40))
                    disk.fill()
                    wait_for(lambda: not broker.is_running, NOTICED_SECONDS, lambda: f"it goes on: {broker.log_tail()}")
                    assert disk.says_so(broker.log.read_text())
                    disk.free()
                    broker.start()
                    broker.wait_until_ready()
                    ground.wait_for_frames(20)
                return ground.finish(publishes=True)
