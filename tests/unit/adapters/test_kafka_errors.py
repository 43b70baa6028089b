"""Every error of the Kafka client becomes one of ours, which names the listener, the user and the next step."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeout

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, cimpl

from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, append_failed, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import AppendFailed, ConfigurationError, JournalUnavailable

SETTINGS = KafkaSettings(
    bootstrap_servers="log:9092", security_protocol="SASL_SSL", sasl_user="ann", sasl_password="s3cret"
)
CODES = sorted(
    {code for name in dir(KafkaError) if name.isupper() and isinstance(code := getattr(KafkaError, name), int)}
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_becomes_an_error_of_ours_that_names_listener_user_and_work(code: int) -> None:
    for error in (KafkaError(code), KafkaException(KafkaError(code))):
        found = our_error(error, SETTINGS, "reading")
        assert isinstance(found, ConfigurationError | JournalUnavailable)
        assert "log:9092 (SASL_SSL), user 'ann': reading failed: " in str(found)
        assert "s3cret" not in str(found)
        assert isinstance(append_failed(error, SETTINGS, "an append"), AppendFailed)


def test_every_exception_class_of_the_client_is_foreign() -> None:
    classes = [found for found in vars(cimpl).values() if isinstance(found, type) and issubclass(found, Exception)]
    assert KafkaException in classes
    for found in classes:
        assert issubclass(found, FOREIGN_ERRORS), found


@pytest.mark.parametrize(
    "error",
    [KafkaException(KafkaError(KafkaError._FAIL)), BufferError("full"), FutureTimeout(), RuntimeError("closed")],
)
def test_what_is_raised_inside_is_raised_as_ours(error: Exception) -> None:
    with pytest.raises(JournalUnavailable, match="looking failed"), kafka_errors(SETTINGS, "looking"):
        raise error


def test_what_clients_raise_when_they_are_used_wrongly_is_caught_too() -> None:
    def closed() -> None:
        consumer = Consumer({"group.id": "g"})
        consumer.close()
        consumer.poll(0)

    def refused() -> None:
        Producer({"no.such.setting": 1})

    with pytest.raises(JournalUnavailable, match="closed"), kafka_errors(SETTINGS, "reading"):
        closed()
    with pytest.raises(ConfigurationError, match=r"no\.such\.setting"), kafka_errors(SETTINGS, "making a producer"):
        refused()


def test_a_time_out_has_the_refusal_that_was_reported_beside_it_as_its_cause() -> None:
    faults = Faults()
    timeout = KafkaError(KafkaError._TIMED_OUT)
    assert isinstance(our_error(timeout, SETTINGS, "asking", faults), JournalUnavailable)
    faults.note(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert isinstance(our_error(timeout, SETTINGS, "asking", faults), JournalUnavailable)
    faults.note(KafkaError(KafkaError._AUTHENTICATION))
    found = our_error(timeout, SETTINGS, "asking", faults)
    assert isinstance(found, ConfigurationError)
    assert "do not take these credentials" in str(found)
    faults.succeeded()
    assert isinstance(our_error(timeout, SETTINGS, "asking", faults), JournalUnavailable)
