"""Lines of a log as a command line writes them: fields, exceptions, and no secret whatever says it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from confluent_kafka import KafkaError

from shardlog.adapters.kafka.clients import admin_config, consumer_config, producer_config
from shardlog.adapters.kafka.errors import our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ShardlogError
from shardlog.ranges import check_ranges
from shardlog.telemetry.logs import configure_logging
from shardlog.telemetry.settings import LoggingSettings
from shardlog.wiring.setting_list import secrets_in, secrets_of
from shardlog.wiring.settings import Settings

PASSWORD = "correct'horse\\battery"
KEY_PASSWORD = "s3cret-of-the-key"
log = logging.getLogger("shardlog.executor")


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a broker, two of them secrets."""

    user: str = "shop"
    sasl_password: Annotated[str, msgspec.Meta(extra={"is_secret": True})] = PASSWORD
    key_password: Annotated[str, msgspec.Meta(extra={"is_secret": True})] = ""

    def __post_init__(self) -> None:
        check_ranges(self, "broker")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(
    format: Literal["text", "json"],
    level: Literal["debug", "info", "warning", "error"] = "warning",
    secrets: Iterable[str] = (),
) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(LoggingSettings(format=format, level=level), stream, secrets)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    """Log an exception whose text, cause and fields quote the password."""
    try:
        try:
            raise ValueError({"sasl.password": PASSWORD})
        except ValueError as error:
            raise ConnectionError(f"no broker takes {PASSWORD}") from error
    except ConnectionError:
        log.exception("it failed with %r", PASSWORD, extra={"shard": 3, "config": {"sasl.password": PASSWORD}})


def test_a_json_line_has_the_fields_of_the_record() -> None:
    stream = configured("json")
    log.warning("shard %d was fenced", 3, extra={"journal": "0d9a", "shard": 3, "epoch": 7})
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "shardlog.executor",
        "message": "shard 3 was fenced",
        "journal": "0d9a",
        "shard": 3,
        "epoch": 7,
    }


def test_an_exception_is_one_line_of_json_with_its_traceback() -> None:
    stream = configured("json")
    fail()
    (line,) = lines(stream)
    assert "ConnectionError: no broker takes" in line["exception"]
    assert "in fail" in line["exception"]


def test_a_text_line_has_the_fields_behind_the_text() -> None:
    stream = configured("text")
    log.error("stopped", extra={"shard": 3, "epoch": 7})
    assert stream.getvalue().rstrip().endswith("[error] stopped [shardlog.executor] epoch=7 shard=3")


def test_lines_below_the_level_are_not_written_and_a_second_configuration_replaces_the_first() -> None:
    first = configured("json", "debug")
    second = configured("json", "error")
    log.warning("not this")
    log.error("this")
    assert first.getvalue() == ""
    assert [line["message"] for line in lines(second)] == ["this"]


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_password_stands_in_no_line_wherever_it_was_quoted(format: Literal["text", "json"]) -> None:
    without = configured(format)
    fail()
    shown = without.getvalue()
    assert "horse" in shown, "the line would not have shown it anyway"
    stream = configured(format, secrets=secrets_in(BrokerSettings()))
    fail()
    assert "horse" not in stream.getvalue()
    assert stream.getvalue().count("***") == 4


def test_the_secrets_of_a_section_are_those_that_have_a_value() -> None:
    assert secrets_in(BrokerSettings()) == [PASSWORD]


def test_settings_as_they_are_by_default_hold_no_secret() -> None:
    assert secrets_of(Settings()) == []


def test_the_passwords_of_kafka_stand_in_no_repr_line_or_error() -> None:
    kafka = KafkaSettings(
        bootstrap_servers="log:9093",
        security_protocol="SASL_SSL",
        sasl_user="shop",
        sasl_password=PASSWORD,
        certificate_path="client.pem",
        key_path="key.pem",
        key_password=KEY_PASSWORD,
    )
    settings = Settings(kafka=kafka)
    assert sorted(secrets_of(settings)) == sorted([PASSWORD, KEY_PASSWORD])
    stream = configured("json", secrets=secrets_of(settings))
    for shown in (kafka, settings, [kafka], producer_config(kafka), consumer_config(kafka), admin_config(kafka)):
        log.warning("it is %s and %r", shown, shown, extra={"settings": shown})
    try:
        raise our_error(RuntimeError(f"{producer_config(kafka)}"), kafka, "asking")
    except ShardlogError:
        log.exception("it failed with %s", kafka)
    refused = our_error(KafkaError(KafkaError._AUTHENTICATION), kafka, "asking")
    texts = [repr(kafka), str(kafka), f"{kafka}", repr(settings), str(settings), str(refused), stream.getvalue()]
    for text in texts:
        assert text
        for secret in (PASSWORD, KEY_PASSWORD):
            for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
                assert form not in text
    assert "sasl_password='***'" in repr(settings)
