"""`shardlog send` and `shardlog dead-letters` over a journal on Kafka."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.services.kafka_roles import LEDGERS, SHARDS, Place, eventually

REFUSED, TRY_LATER, USAGE = 3, 75, 2


@pytest.fixture
def place(tmp_path: Path, kafka: str, journal_name: str) -> Place:
    return Place(tmp_path, kafka, journal_name).init()


def test_a_command_is_sent_by_the_topic_and_its_reply_is_shown(place: Place) -> None:
    account = f"{LEDGERS[0]}:ada"
    with place.serving("executor", "--ordinal", "0") as executor, place.serving("relay") as relay:
        executor.serves(*range(SHARDS))
        relay.ready()
        opened = place.run("send", "account", account, "open", '{"owner": "Ada"}', "--command-id", "c1")
        assert opened.code == 0, opened.err
        assert opened.out.startswith('1 opened {"owner": "Ada"')
        assert "token " in opened.err
        put = place.run("send", "account", account, "deposit", '{"amount": 5}', "--expected-version", "1", "--json")
        assert put.code == 0, put.err
        assert (put.json["status"], put.json["version"]) == (200, 2)
        refused = place.run("send", "account", account, "withdraw", '{"amount": 50}')
        assert refused.code == REFUSED
        assert refused.err.startswith("insufficient_funds")
        late = place.run("send", "account", account, "deposit", '{"amount": 5}', "--expected-version", "1")
        assert late.code == REFUSED
        assert late.err.startswith("wrong_version")
        dated = place.run(
            *("send", "account", account, "deposit", '{"amount": 1}'),
            *("--occurred-at", "2026-03-01T12:00:00Z", "--correlation", "c1", "--json"),
        )
        assert dated.code == 0, dated.err
    steps = place.run("stream", f"account/{account}", "--json").lines
    assert [step["version"] for step in steps] == [1, 2, 3]
    assert steps[2]["occurred_at"].startswith("2026-03-01T12:00:00")


def test_a_command_that_nobody_answers_is_said_to_be_delivered_and_not_accepted(place: Place) -> None:
    account = f"{LEDGERS[1]}:ada"
    asked = ("send", "account", account, "open", '{"owner": "Ada"}', "--command-id", "c1", "--timeout-s", "8")
    said = place.run(*asked)
    assert said.code == TRY_LATER
    topic = place.settings.kafka.commands_topic
    assert f"delivered to topic {topic}, partition 1, offset 0, and not known to be accepted" in said.err
    assert f"in topic {place.settings.kafka.replies_topic} under the key c1" in said.err
    assert f"shardlog stream account/{account}" in said.err
    again = place.run(*asked, "--json")
    assert again.json["delivered"] == {"topic": topic, "partition": 1, "offset": 1}
    with place.serving("executor", "--ordinal", "0"):
        eventually(lambda: place.executed() == {"c1": 1}, "it is not executed, and once")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["acount", "l1:ada", "open"], "there is no category 'acount'; did you mean 'account'?"),
        (["account", "l1:ada", "opn"], "account has no command 'opn'; did you mean 'open'?"),
        (["account", "l1:ada", "deposit", '{"amount": -5}'], "Expected `int` >= 1"),
        (["account", "l1:ada", "deposit", "{"], "it is no account/deposit"),
        (["account", "l1:ada", "deposit", '{"amount": 5}', "--occurred-at", "2026-03-01"], "--occurred-at"),
        (["account", "l1:ada", "deposit", '{"amount": 5}', "--occurred-at", "2026-03-01T12:00:00"], "no time zone"),
        (["account", "..", "deposit", '{"amount": 5}'], ".."),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is_sent(place: Place, arguments: list[str], said: str) -> None:
    refused = place.run("send", *arguments)
    assert refused.code == USAGE, refused.err
    assert said in refused.err
    assert not place.executed()


def test_an_address_goes_before_the_settings(place: Place) -> None:
    said = place.run("send", "account", "l1:ada", "open", "--url", "http://127.0.0.1:1")
    assert said.code == 69
    assert "no server answers at http://127.0.0.1:1" in said.err


def test_without_brokers_it_is_said_that_nothing_was_sent(tmp_path: Path, journal_name: str) -> None:
    said = Place(tmp_path, "127.0.0.1:1", journal_name).run(
        "send", f"account/{LEDGERS[0]}:ada", "deposit", '{"amount":1}'
    )
    assert said.code == 69
    assert "127.0.0.1:1" in said.err and said.err.rstrip().endswith("Nothing was sent")


def test_dead_letters_are_read_from_their_topic(place: Place) -> None:
    topic = place.settings.kafka.commands_topic
    producer = Producer({"bootstrap.servers": place.settings.kafka.bootstrap_servers})
    producer.produce(topic, b"\xffnothing that can be read", partition=2)
    producer.flush()
    assert place.run("dead-letters").out == "0 dead letters\n"
    with place.serving("executor", "--ordinal", "0") as executor, place.serving("relay") as relay:
        executor.serves(*range(SHARDS))
        relay.ready()
        eventually(lambda: place.run("dead-letters", "--json").out, "there is no dead letter")
    (letter,) = place.run("dead-letters", "--json").lines
    assert letter["code"] == "undecodable"
    assert letter["input"].startswith(f"kafka:{topic}:")
    assert letter["input_offset"] == 0
    assert base64.b64decode(letter["original"]) == b"\xffnothing that can be read"
    shown = place.run("dead-letters")
    assert shown.code == 0
    assert letter["token"] in shown.out
    assert r"original '\xffnothing that can be read'" in shown.out
    assert f"from {letter['input']} offset 0" in shown.out
    assert shown.out.endswith("1 dead letter\n")
    marked = place.run("dead-letters", "--retried", letter["token"])
    assert marked.code == USAGE
    assert "cannot be marked" in marked.err


def test_a_missing_topic_is_named_with_the_command_that_makes_it(tmp_path: Path, kafka: str, journal_name: str) -> None:
    nothing = Place(tmp_path, kafka, journal_name)
    for arguments in (["dead-letters"], ["rebuild", "balances"], ["serve", "relay"], ["status"]):
        said = nothing.run(*arguments)
        assert said.code == 78, said.err
        assert "shardlog admin init" in said.err
        assert "kafka-topics.sh" not in said.err
