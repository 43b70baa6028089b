"""Apache Kafka brokers for tests and demonstrations."""

from shardlog.testing.services.kafka.broker import Broker
from shardlog.testing.services.kafka.cluster import KafkaCluster
from shardlog.testing.services.kafka.options import BrokerOptions

__all__ = ["Broker", "BrokerOptions", "KafkaCluster"]
