"""Settings of Kafka: what librdkafka is told, what is refused, and what is never shown."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka.clients import admin_config, consumer_config, producer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError
from shardlog.wiring.setting_list import all_settings
from shardlog.wiring.settings import Settings

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:1", journal="acme")


def test_a_producer_is_what_rule_a1_asks_for() -> None:
    config = producer_config(SETTINGS)
    assert (config["enable.idempotence"], config["acks"], config["linger.ms"]) == (True, "all", 0)
    assert config["max.in.flight.requests.per.connection"] <= 5
    assert config["message.timeout.ms"] >= 300_000
    with pytest.raises(ConfigurationError, match=r"message_timeout_ms is 3000, and must be an integer, 300_000"):
        msgspec.structs.replace(SETTINGS, message_timeout_ms=3_000)


def test_a_reader_is_what_rule_r5_asks_for() -> None:
    config = consumer_config(SETTINGS)
    assert (config["isolation.level"], config["auto.offset.reset"], config["check.crcs"]) == (
        "read_uncommitted",
        "error",
        True,
    )
    assert config["fetch.queue.backoff.ms"] <= 10


def test_the_client_takes_all_that_it_is_told() -> None:
    extremes = [
        SETTINGS,
        msgspec.structs.replace(SETTINGS, fetch_bytes_max=1_024, prefetch_bytes_max=1_024, queue_bytes_max=1_024),
        msgspec.structs.replace(SETTINGS, record_bytes_max=1_000_000_000, queue_records_max=10_000_000),
        msgspec.structs.replace(SETTINGS, fetch_bytes_max=1_000_000_000, prefetch_bytes_max=2_000_000_000),
        msgspec.structs.replace(SETTINGS, connect_timeout_ms=1_000, reconnect_back_off_max_ms=1, compression="none"),
        msgspec.structs.replace(
            SETTINGS, security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_user="ann", sasl_password="x"
        ),
    ]
    for settings in extremes:
        Producer(producer_config(settings))
        Consumer(consumer_config(settings)).close()
        AdminClient(admin_config(settings))


def test_topics_are_named_after_the_journal() -> None:
    assert SETTINGS.journal_topic == "acme.journal"
    assert SETTINGS.commands_topic == "acme.commands"
    assert SETTINGS.control_topic == "acme.control"
    assert SETTINGS.checkpoints_topic == "acme.checkpoints"
    assert SETTINGS.replies_topic == "acme.replies"
    assert SETTINGS.dead_letters_topic == "acme.dead-letters"
    assert SETTINGS.events_topic("account") == "acme.events.account"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"security_protocol": "SASL_SSL"}, "sasl_user is empty: name the user"),
        ({"sasl_user": "ann"}, "security_protocol 'PLAINTEXT' names no user: set it to 'SASL_SSL'"),
        ({"certificate_path": "a.pem"}, "certificate_path and key_path go together"),
        (
            {"replication_factor": 2, "in_sync_min": 3},
            r"in_sync_min is 3, and must not exceed replication_factor \(2\)",
        ),
        ({"journal": "no dots."}, "journal is 'no dots.', and must be"),
        ({"compression": "zip"}, "compression is 'zip', and must be"),
    ],
)
def test_what_no_broker_takes_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        msgspec.structs.replace(SETTINGS, **change)


def test_without_an_address_a_client_is_refused_and_the_setting_named() -> None:
    with pytest.raises(ConfigurationError, match=r"bootstrap_servers is empty.*SHARDLOG_KAFKA_BOOTSTRAP_SERVERS"):
        producer_config(KafkaSettings())


def test_secrets_are_never_shown() -> None:
    settings = KafkaSettings(
        security_protocol="SASL_SSL", sasl_user="ann", sasl_password="s3cret", key_password="s3cret too"
    )
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(Settings(kafka=settings))
    assert "sasl_user='ann'" in repr(settings)
    shown = {setting.name: setting.shown(Settings(kafka=settings)) for setting in all_settings()}
    assert (shown["sasl_password"], shown["key_password"], shown["sasl_user"]) == ("***", "***", "ann")
    with pytest.raises(ConfigurationError) as refused:
        msgspec.structs.replace(settings, sasl_password=53_245)
    assert "53245" not in str(refused.value)


def test_everything_but_the_adapter_itself_is_imported_without_the_client() -> None:
    code = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "import shardlog.wiring.embedded, shardlog.cli.main, shardlog.adapters.kafka.settings\n"
        "import shardlog.adapters.kafka.clients, shardlog.testing.services.kafka.found, shardlog.wiring.serving\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
