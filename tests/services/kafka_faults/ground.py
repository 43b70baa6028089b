"""The ground that faults are tried on: a bank under load, followed and judged."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.testing.faults import FaultProxy
from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from shardlog.testing.services.kafka.broker import Broker
from tests.services.kafka_faults.bank import SHARDS, Bank, RoleProcess
from tests.services.kafka_faults.following import Following
from tests.services.kafka_faults.history import Counts, judge
from tests.services.kafka_faults.load import PATIENT_SECONDS, Load, wait_for
from tests.services.kafka_faults.money import check_tables
from tests.services.kafka_faults.topics import ends, records

SESSION_TIMEOUT_MS = 2_000
HEAP_MB = 256
REST_SECONDS = 120.0
ASK_SECONDS = 0.5
"""How often brokers are asked for what takes them a while."""


class Brokers(NamedTuple):
    """A cluster, and the proxy in front of it for who goes by its ports."""

    cluster: KafkaCluster
    proxy: FaultProxy

    @property
    def bootstrap(self) -> str:
        return self.cluster.bootstrap


@contextmanager
def brokers_behind_a_proxy(count: int) -> Iterator[Brokers]:
    """Brokers that find out within 2 s that one of them is gone."""
    with FaultProxy(count) as proxy:
        options = BrokerOptions(
            brokers=count, session_timeout_ms=SESSION_TIMEOUT_MS, heap_mb=HEAP_MB, proxy_ports=proxy.ports
        )
        with KafkaCluster(options) as cluster:
            proxy.forward_to(cluster.proxied_addresses)
            yield Brokers(cluster, proxy)


class Ground:
    """One run of one fault. Its roles are started by the fault, through `bank`."""

    def __init__(self, brokers: Brokers, directory: Path, random: Random, executors: int = 1) -> None:
        self.brokers = brokers
        self.random = random
        name = f"bank-{uuid.uuid4().hex[:8]}"
        self.bank = Bank(directory / name, brokers.bootstrap, name, executors)
        self.load: Load
        self.following: Following
        self._admin = AdminClient({"bootstrap.servers": brokers.bootstrap})

    @contextmanager
    def under_load(self, rate: int = 100) -> Iterator[Ground]:
        """The bank with its topics, a load on them and a reader behind it; at the end of it nothing runs any more."""
        with self.bank:
            self.following = Following(self.bank.kafka, self.bank.journal_id, SHARDS)
            self.load = Load(self.bank.kafka, self.random, rate)
            try:
                with self.following, self.load:
                    yield self
            finally:
                self._forget()

    def wait_for_frames(self, count: int, within_s: float = PATIENT_SECONDS) -> None:
        """So many valid frames more than now."""
        wanted = self.following.frames + count
        wait_for(lambda: self.following.frames >= wanted, within_s, lambda: self._where(f"{count} frames more"))

    def claims(self) -> int:
        """How many valid claims there are, over all shards, as far as the reader that follows has come."""
        return sum(map(len, self.following.claims))

    def wait_for_claims(self, count: int, within_s: float = PATIENT_SECONDS) -> None:
        """Until there are so many valid claims."""
        wait_for(lambda: self.claims() >= count, within_s, lambda: self._where(f"{count} claims"))

    def in_sync(self) -> int:
        """How many replicas are in sync, of the shard that has the fewest."""
        topic = self.bank.kafka.journal_topic
        found = self._admin.list_topics(topic, timeout=20)
        return min(len(partition.isrs) for partition in found.topics[topic].partitions.values())

    def leader(self, shard: int) -> Broker:
        """The broker that leads a shard of the journal now."""
        topic = self.bank.kafka.journal_topic
        found = self._admin.list_topics(topic, timeout=20)
        return self.brokers.cluster.brokers[found.topics[topic].partitions[shard].leader - 1]

    def finish(self, *, publishes: bool, projects: bool = False) -> Counts:
        """End the load, wait until everything is at rest, and judge. publishes, projects: whether a relay and a
        projector run."""
        self.load.stop()
        executors = [process for process in self.bank.processes if process.role == "executor"]
        for executor in executors:
            if executor.is_running:
                executor.ask_no_more()
        self._rest(publishes)
        if projects:
            check_tables(self.bank)
        for process in self.bank.processes:
            process.terminate()
        answers = [answer for process in executors for answer in process.answers]
        wait_for(self._has_read_to_the_end, REST_SECONDS, lambda: self._where("the end"))
        counts = judge(self.bank, self.load.produced, answers, self.following, self.input, publishes=publishes)
        assert counts.confirmed > 0
        return counts

    @property
    def input(self) -> str:
        """The full name of the commands topic, as frames have it."""
        topic = self.bank.kafka.commands_topic
        return f"kafka:{topic}:{KafkaTopics(self.bank.kafka).id_of(topic)}"

    def _rest(self, publishes: bool) -> None:
        bootstrap, kafka = self.brokers.bootstrap, self.bank.kafka
        wanted, input, follow = ends(bootstrap, kafka.commands_topic, SHARDS), self.input, self.following
        wait_for(
            lambda: [settled.get(input, 0) for settled in follow.settled] == wanted,
            REST_SECONDS,
            lambda: self._where(f"{input} settled to {wanted}"),
        )
        if publishes:
            wait_for(lambda: follow.has_carried_all, REST_SECONDS, lambda: self._where("all sends taken"))
            wait_for(
                self._has_published_all,
                REST_SECONDS,
                lambda: self._where("all outputs published"),
                look_s=ASK_SECONDS,
            )

    def _has_published_all(self) -> bool:
        kafka, follow = self.bank.kafka, self.following
        for topic, wanted in ((kafka.replies_topic, follow.replies), (kafka.events_topic("account"), follow.events)):
            found = records(self.brokers.bootstrap, topic, SHARDS, is_committed=True)
            if sum(map(len, found)) < wanted:
                return False
        return True

    def _has_read_to_the_end(self) -> bool:
        wanted = ends(self.brokers.bootstrap, self.bank.kafka.journal_topic, SHARDS, is_committed=False)
        return [reader.position for reader in self.following.readers] == wanted

    def _where(self, wanted: str) -> str:
        follow = self.following
        lines = [f"wanted: {wanted}; frames {follow.frames}, settled {follow.settled}, errors {follow.errors}"]
        lines += [f"-- {process.role} {process.pid}:\n{process.errors()[-1500:]}" for process in self.bank.processes]
        return "\n".join(lines)

    def _forget(self) -> None:
        """Delete the topics, so that a long run does not fill the disk."""
        admin = self._admin
        found = admin.list_topics(timeout=20).topics
        topics = [topic for topic in found if topic.startswith(self.bank.journal + ".")]
        for future in admin.delete_topics(topics).values() if topics else ():
            future.result(30)


def serving(*processes: RoleProcess) -> None:
    """Wait until all of them serve."""
    for process in processes:
        process.wait_until_serving()
