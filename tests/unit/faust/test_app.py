"""How a faust app reaches the brokers, and what it is set to unless somebody says otherwise."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import faust
import pytest

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError, DomainError
from shardlog.faust import events_topic, published_app
from shardlog.faust.credentials import credentials
from tests.services.bank_process import application

WITHOUT_OTHER_EXTRAS = """
import sys
for name in ("fastavro", "confluent_kafka", "httpx", "psycopg", "starlette"):
    sys.modules[name] = None
import shardlog.faust
"""
PLAIN = KafkaSettings(bootstrap_servers="one:9092, two:9092", journal="bank")


def test_it_listens_nowhere_and_reads_from_the_beginning(tmp_path: Path) -> None:
    app = published_app("test", PLAIN, datadir=str(tmp_path))
    assert [str(url) for url in app.conf.broker] == ["kafka://one:9092", "kafka://two:9092"]
    assert app.conf.web_enabled is False
    assert app.conf.consumer_auto_offset_reset == "earliest"
    assert app.conf.broker_credentials is None
    assert app.conf.processing_guarantee.value == "at_least_once"


def test_whoever_wants_other_settings_names_them(tmp_path: Path) -> None:
    app = published_app("test", PLAIN, exactly_once=True, datadir=str(tmp_path), stream_buffer_maxsize=7)
    assert app.conf.processing_guarantee.value == "exactly_once"
    assert app.conf.stream_buffer_maxsize == 7


def test_a_topic_is_named_as_the_relay_names_it(tmp_path: Path) -> None:
    app = published_app("test", PLAIN, datadir=str(tmp_path))
    assert events_topic(app, "account", application).get_topic_name() == "bank.events.account"
    with pytest.raises(ConfigurationError, match="no category 'accounts': it has account"):
        events_topic(app, "accounts", application)


def test_an_agent_cannot_write_events(tmp_path: Path) -> None:
    topic = events_topic(published_app("test", PLAIN, datadir=str(tmp_path)), "account", application)
    with pytest.raises(DomainError, match="hand in a command"):
        topic.schema.dumps_value(topic.app, b"{}", headers=None)


def test_a_user_and_certificates_come_from_the_settings() -> None:
    settings = KafkaSettings(
        bootstrap_servers="one:9092",
        security_protocol="SASL_SSL",
        sasl_user="ann",
        sasl_password="secret",
        sasl_mechanism="SCRAM-SHA-256",
    )
    found = credentials(settings)
    assert isinstance(found, faust.SASLCredentials)
    assert (found.username, found.password, found.mechanism.value) == ("ann", "secret", "SCRAM-SHA-256")
    assert found.protocol.value == "SASL_SSL"
    assert found.ssl_context is not None
    assert found.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert "secret" not in repr(found)


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match=missing):
        credentials(KafkaSettings(bootstrap_servers="one:9092", security_protocol="SSL", ca_path=missing))


def test_an_app_without_brokers_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="bootstrap_servers is empty"):
        published_app("test", KafkaSettings())


def test_json_needs_no_other_extra() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_OTHER_EXTRAS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
