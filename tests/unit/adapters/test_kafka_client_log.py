"""What clients log while brokers are away, at ports where nothing listens."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka import client_log
from shardlog.adapters.kafka.clients import admin_config, consumer_config, producer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.testing.services.ports import free_ports

WITHIN_SECONDS = 60.0


def until(is_so: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + WITHIN_SECONDS
    while not is_so():
        assert time.monotonic() < give_up, otherwise


def test_a_broker_that_is_away_is_said_once_by_all_clients_and_once_when_nothing_fails_any_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_log, "BACK_SECONDS", 3.0)
    caplog.set_level(logging.DEBUG, "shardlog.kafka")
    brokers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    settings = KafkaSettings(bootstrap_servers=",".join(brokers), reconnect_back_off_max_ms=100)
    clients = [Producer(producer_config(settings)), AdminClient(admin_config(settings))]
    consumers = [Consumer(consumer_config(settings)) for _ in range(2)]
    for consumer in consumers:
        consumer.assign([TopicPartition(settings.journal_topic, 0, 0)])

    def said(broker: str, level: int) -> list[str]:
        return [r.getMessage() for r in caplog.records if broker in r.getMessage() and r.levelno == level]

    def has_failed_often() -> bool:
        for client in (*consumers, *clients):
            client.poll(0.01)
        return all(len(said(broker, logging.DEBUG)) >= 20 for broker in brokers)

    until(has_failed_often, "clients do not try again")
    for broker in brokers:
        (line,) = said(broker, logging.WARNING)
        assert f"broker {broker} does not answer" in line and "Connection refused" in line and "go on trying" in line
    assert {record.levelno for record in caplog.records} == {logging.DEBUG, logging.WARNING}
    for consumer in consumers:
        consumer.close()
    clients.clear()
    listening = [socket.create_server(("127.0.0.1", int(broker.rpartition(":")[2]))) for broker in brokers]
    until(lambda: all(len(said(broker, logging.WARNING)) == 2 for broker in brokers), "it is not said that it is over")
    assert all("takes connections again" in said(broker, logging.WARNING)[1] for broker in brokers)
    for server in listening:
        server.close()


@pytest.mark.parametrize(
    ("line", "broker"),
    [
        ("FAIL [rdkafka#producer-1] [thrd:h:9092/bootstrap]: h:9092/bootstrap: Connect failed", "h:9092"),
        ("FAIL [c#1] [thrd:sasl_ssl://a.b:9093/1]: sasl_ssl://a.b:9093/1: SASL authentication error: no", "a.b:9093"),
        ("FAIL [c#1] [thrd:GroupCoordinator]: GroupCoordinator: h:1: Connect to ipv4#127.0.0.1:1 failed", "h:1"),
    ],
)
def test_a_broker_is_known_by_its_address_whoever_names_it(line: str, broker: str) -> None:
    found = client_log.ClientLog(logging.getLogger("test.kafka"))
    found.log(logging.ERROR, line)
    assert found.lost == {broker}


def test_a_connection_that_was_closed_for_being_idle_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = client_log.ClientLog(logging.getLogger("test.kafka"))
    found.log(logging.INFO, "FAIL [c#1] [thrd:h:9092/1]: h:9092/1: Disconnected (after 600000ms in state UP)")
    assert not found.lost and [record.levelno for record in caplog.records] == [logging.DEBUG]
