"""What a shard makes of the records of a commands topic, on a real broker."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from domain.banking.messages import Deposit, Open, Withdraw
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.errors import ConfigurationError, InputChanged, InputTruncated
from shardlog.executor.limits import Limits
from tests.services.kafka_served import (
    LEDGERS,
    KafkaServed,
    Sending,
    entries,
    envelope,
    frames,
    made_topics,
    wait_until,
)

HERE, THERE = (f"{ledger}:1" for ledger in LEDGERS)
"""Accounts of shard 0 and of shard 1."""
SMALL = Limits(frame_bytes_max=60_000, command_bytes_max=4_000, back_off_max_ms=500)


@pytest.fixture
def settings(kafka: str, journal_name: str) -> KafkaSettings:
    return made_topics(kafka, journal_name)


@pytest.fixture
def opened() -> Iterator[Callable[..., KafkaInput]]:
    """Opens inputs, which are closed with the test."""
    inputs: list[KafkaInput] = []

    def open(settings: KafkaSettings, **options: Any) -> KafkaInput:
        inputs.append(KafkaInput(settings, settings.commands_topic, **options))
        return inputs[-1]

    yield open
    for input in inputs:
        input.close()


def read_all(input: KafkaInput, count: int, start: int = 0, limit: int = 200) -> list[tuple[int, bytes]]:
    """So many records, read on and on."""
    found: list[tuple[int, bytes]] = []

    def has_all() -> bool:
        found.extend(input.read(0, found[-1][0] + 1 if found else start, limit))
        return len(found) >= count

    wait_until(has_all, f"only {len(found)} of {count} records came")
    return found


def cut(settings: KafkaSettings, before: int) -> None:
    """As retention does: the records of shard 0 below this offset are gone."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(settings.commands_topic, 0, before)]).values():
        future.result(30)


def made_again(settings: KafkaSettings) -> None:
    """The commands topic is deleted, and made under the same name."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    admin.delete_topics([settings.commands_topic])[settings.commands_topic].result(30)

    def is_made() -> bool:
        try:
            made_topics(settings.bootstrap_servers, settings.journal)
        except ConfigurationError:  # the old one is not gone yet
            return False
        return True

    wait_until(is_made, "the topic cannot be made again")


# -- what comes of a record ------------------------------------------------------------------------------------------
def test_commands_in_both_forms_are_executed_and_what_says_none_is_recorded_with_the_reason(
    settings: KafkaSettings,
) -> None:
    sending = Sending(settings)
    least = {"shardlog-category": b"account", "shardlog-stream": HERE.encode(), "shardlog-command": b"deposit"}
    sending.put(envelope(HERE, Open(owner="ann")))
    sending.put(b'{"amount":5}', headers=least)
    sending.put(None)
    sending.put(b"", headers=least)
    sending.put(b"deposit 5")
    sending.put(b'{"amount":5}', headers={**least, "shardlog-expected-version": b"two"})
    sending.put(b'{"amount":5}', headers={**least, "shardlog-comand-id": b"c"})
    sending.put(envelope(HERE, format=2))
    sending.put(b"\0\0\0\0\1\2", headers=least)
    last = sending.put(envelope(HERE, Deposit(amount=7)))
    with KafkaServed(settings) as served:
        served.settle(last)
        assert served.state(HERE).balance == 12

    found = entries(settings, 0)
    said = [(type(entry).__name__, getattr(entry, "message", "")) for entry in found]
    assert [name for name, _ in said] == ["Accepted", "Accepted", *["Unreadable"] * 7, "Accepted"]
    for (_, message), part in zip(
        said[2:9],
        [
            "its value is null",
            "the value is no JSON object",
            "the value begins with b'deposit '",
            "header 'shardlog-expected-version' is 'two'",
            "did you mean 'shardlog-command-id'?",
            "at `$[0]` (format)",
            "the value is Avro",
        ],
        strict=True,
    ):
        assert part in message
    assert [entry.offset for entry in found[2:9]] == list(range(2, 9))


def test_oversized_unknown_and_refused_commands_are_recorded_and_the_shard_goes_on(settings: KafkaSettings) -> None:
    sending = Sending(settings)
    sending.put(envelope(HERE, Open(owner="a" * 5_000)))
    sending.put(envelope(HERE, category="acount"))
    sending.put(envelope(HERE, command="deposits"))
    sending.put(envelope("l 0/..", Deposit(amount=1)))
    sending.put(envelope(HERE, Withdraw(amount=1)))
    last = sending.put(envelope(HERE, Open(owner="ann")))
    with KafkaServed(settings, limits=SMALL) as served:
        served.settle(last)
        name = served.name
    too_large, category, command, id, refused, accepted = entries(settings, 0)
    assert (too_large.code, too_large.input, too_large.offset) == ("too_large", name, 0)
    assert (category.code, category.source) == ("unknown_command", (name, 1))
    assert (command.code, command.source) == ("unknown_command", (name, 2))
    assert (id.code, id.source) == ("invalid_id", (name, 3))
    assert (refused.code, refused.source) == ("account_not_open", None)
    assert accepted.command == "open"


def test_a_misrouted_command_is_recorded_as_forwarded_and_can_be_read_again(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    misrouted = envelope(THERE, Open(owner="ann"))
    first = sending.put(misrouted)
    second = sending.put(b'{"owner":"ann"}', headers=_open_in_headers(THERE))
    with KafkaServed(settings) as served:
        served.settle(second)
        name = served.name
        assert served.inputs[0].read_again(0, first) == misrouted
    one, other = entries(settings, 0)
    assert (one.input, one.offset, one.shard) == (name, first, 1)
    assert (other.offset, other.shard) == (second, 1)
    fetching = opened(settings)
    turned = fetching.read_again(0, second)
    assert turned is not None
    assert turned.startswith(b'[1,"account","')
    assert fetching.original(0, second) == b'{"owner":"ann"}'
    assert fetching.original(0, second + 1) is None


def _open_in_headers(id: str) -> dict[str, bytes | None]:
    return {"shardlog-category": b"account", "shardlog-stream": id.encode(), "shardlog-command": b"open"}


def test_a_repeat_by_id_leaves_no_entry_and_the_input_moves(settings: KafkaSettings) -> None:
    sending = Sending(settings)
    sending.put(envelope(HERE, Open(owner="ann")))
    sending.put(envelope(HERE, Deposit(amount=5), command_id="c-1"))
    with KafkaServed(settings) as served:
        served.settle(1)
        last = sending.put(envelope(HERE, Deposit(amount=5), command_id="c-1"))
        served.settle(last)
        assert served.state(HERE).balance == 5
        name = served.name
    *_, newest = frames(settings, 0)
    assert (newest.entries, newest.inputs) == ([], {name: last + 1})
    assert len(entries(settings, 0)) == 2


def test_an_origin_is_believed_on_the_sends_topic_only(settings: KafkaSettings) -> None:
    origin = ("payments", 1, 1, 1, 0, None)
    sending = Sending(settings)
    forged = sending.put(envelope(HERE, Open(owner="eve"), origin=origin))
    carried = sending.put(envelope(HERE, Open(owner="ann"), command_id="c", origin=origin), topic=settings.sends_topic)
    sends = KafkaInput(settings, settings.sends_topic, carries_sends=True)
    with KafkaServed(settings, [KafkaInput(settings, settings.commands_topic), sends]) as served:
        served.settle(forged)
        served.settle(carried, input=sends.name)
    found = {type(entry).__name__: entry for entry in entries(settings, 0)}
    assert "an origin is for what a relay carries" in found["Unreadable"].message
    assert (found["Accepted"].channel, found["Accepted"].origin.manager) == ("manager", "payments")


def test_what_an_aborted_transaction_wrote_is_never_executed_and_its_markers_are_holes(
    settings: KafkaSettings,
) -> None:
    plain = Sending(settings)
    plain.put(envelope(HERE, Open(owner="ann")))
    writer = Sending(settings, **{"transactional.id": settings.journal}).producer
    writer.init_transactions(30)
    for amount, ends in (
        (100, writer.abort_transaction),
        (5, writer.commit_transaction),
        (100, writer.abort_transaction),
    ):
        writer.begin_transaction()
        writer.produce(settings.commands_topic, envelope(HERE, Deposit(amount=amount)), partition=0)
        writer.flush(30)
        ends(30)
    last = plain.put(envelope(HERE, Deposit(amount=2)))
    assert last >= 6, "three records, and markers of at least two transactions"
    with KafkaServed(settings) as served:
        served.settle(last)
        assert served.state(HERE).balance == 7
    assert len(entries(settings, 0)) == 3


def test_a_restart_goes_on_at_the_settled_offset(settings: KafkaSettings) -> None:
    sending = Sending(settings)
    sending.put(envelope(HERE, Open(owner="ann")))
    for round in range(3):
        last = sending.put(envelope(HERE, Deposit(amount=1)))
        with KafkaServed(settings) as served:
            served.settle(last)
            assert served.state(HERE).balance == round + 1
    assert len(entries(settings, 0)) == 4


# -- what is not there any more --------------------------------------------------------------------------------------
def test_a_gap_is_refused_and_named_and_taken_when_it_was_accepted(settings: KafkaSettings) -> None:
    sending = Sending(settings)
    sending.put(envelope(HERE, Open(owner="ann")))
    with KafkaServed(settings) as served:
        served.settle(0)
        name = served.name
    last = [sending.put(envelope(HERE, Deposit(amount=1))) for _ in range(4)][-1]
    cut(settings, 3)
    with KafkaServed(settings) as served:
        errors = served.shards[0].input_errors
        wait_until(lambda: name in errors, "the gap was not seen")
        assert f"shard 0: input {name!r} is to be read from offset 1, and begins at 3" in errors[name]
        assert f"shardlog admin accept-input {name} --gap 0 3" in errors[name]
        assert served.shards[0].settled(name) == 1, "nothing was skipped"
        other = sending.put(envelope(THERE, Open(owner="ann")), partition=1)
        served.settle(other, shard=1)
    with KafkaServed(settings, [KafkaInput(settings, settings.commands_topic, accepted_gaps={0: 3})]) as served:
        served.settle(last)
        assert served.state(HERE).balance == 2


def test_a_beginning_that_is_gone_is_a_gap_too(settings: KafkaSettings, opened: Callable[..., KafkaInput]) -> None:
    sending = Sending(settings)
    sending.put(envelope(HERE))
    sending.put(envelope(HERE))
    cut(settings, 1)
    input = opened(settings)
    with pytest.raises(InputTruncated) as raised:
        wait_until(lambda: bool(input.read(0, 0, 10)), "it neither reads nor refuses")
    assert (raised.value.shard, raised.value.start, raised.value.earliest) == (0, 0, 1)
    stale = opened(settings, accepted_gaps={0: 1})
    assert [offset for offset, _ in read_all(stale, 1)] == [1]


def test_an_accepted_gap_is_accepted_up_to_there_and_no_further(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    for _ in range(4):
        sending.put(envelope(HERE))
    cut(settings, 3)
    input = opened(settings, accepted_gaps={0: 2})
    with pytest.raises(InputTruncated, match="--gap 0 3"):
        wait_until(lambda: bool(input.read(0, 0, 10)), "it neither reads nor refuses")


def test_retention_that_overtakes_a_reader_is_seen_while_it_reads(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    for _ in range(5):
        sending.put(envelope(HERE))
    input = opened(settings)
    read_all(input, 5)
    cut(settings, 5)
    with pytest.raises(InputTruncated, match="from offset 1, and begins at 5"):
        wait_until(lambda: bool(input.read(0, 1, 10) and input.read(0, 0, 10)), "it neither reads nor refuses")


def test_an_offset_beyond_the_end_is_refused(settings: KafkaSettings, opened: Callable[..., KafkaInput]) -> None:
    Sending(settings).put(envelope(HERE))
    input = opened(settings)
    with pytest.raises(InputChanged, match="ends at offset 1, and frames have settled it up to 9"):
        wait_until(lambda: bool(input.read(0, 9, 10)), "it neither reads nor refuses")


def test_a_topic_made_again_is_refused_while_it_is_read_and_at_the_next_start(settings: KafkaSettings) -> None:
    sending = Sending(settings)
    sending.put(envelope(HERE, Open(owner="ann")))
    with KafkaServed(settings) as served:
        served.settle(0)
        old = served.name
        errors = served.shards[0].input_errors
        made_again(settings)
        wait_until(lambda: "was deleted and made again" in errors.get(old, ""), "the new topic was not seen")
    new = KafkaInput(settings, settings.commands_topic)
    assert new.name != old
    with pytest.raises(InputChanged, match=re.escape(old)), KafkaServed(settings, [new]):
        pass
    last = Sending(settings).put(envelope(HERE, Deposit(amount=3)))
    accepted = KafkaInput(settings, settings.commands_topic)
    with KafkaServed(settings, [accepted], accepted_inputs=[accepted.name]) as served:
        served.settle(last)
        assert served.state(HERE).balance == 3


def test_a_topic_that_is_not_there_is_refused_with_its_name(kafka: str, journal_name: str) -> None:
    settings = KafkaSettings(bootstrap_servers=kafka, journal=journal_name)
    with pytest.raises(ConfigurationError, match=f"{journal_name}.commands"):
        KafkaInput(settings, settings.commands_topic)


# -- reading ---------------------------------------------------------------------------------------------------------
def test_wherever_a_reader_goes_it_gets_what_stands_there_without_gap_or_repeat(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    count = 5_000
    for number in range(count):
        sending.producer.produce(settings.commands_topic, b"[%d]" % number, partition=0)
    assert sending.producer.flush(30) == 0
    input = opened(settings)
    assert read_all(input, count) == [(number, b"[%d]" % number) for number in range(count)]
    random = Random(5)
    for _ in range(12):
        start, limit = random.randrange(count - 300), random.choice([1, 7, 200])
        input.read(0, random.randrange(start, count), limit)  # it goes elsewhere, and is called away at once
        found = read_all(input, random.randrange(1, 300), start, limit)
        assert found == [(number, b"[%d]" % number) for number in range(start, start + len(found))]


def test_what_was_given_is_given_again_until_a_later_start_is_asked_for(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    for number in range(6):
        sending.put(b"[%d]" % number)
    input = opened(settings)
    wait_until(lambda: len(input.read(0, 0, 4)) == 4, "four records did not come")
    assert [offset for offset, _ in input.read(0, 2, 2)] == [2, 3]
    assert [offset for offset, _ in input.read(0, 2, 2)] == [2, 3]
    assert [offset for offset, _ in read_all(input, 6)] == list(range(6))


def test_what_reads_avro_may_fail_for_a_while_and_no_record_is_passed_over(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    answers: list[bytes] = []

    def read_avro(category: str, command: str, value: bytes) -> bytes:
        if not answers:
            raise TimeoutError("the registry does not answer")
        return answers.pop()

    sending = Sending(settings)
    sending.put(b"[0]")
    sending.put(b"\0\0\0\0\1\2", headers={**_open_in_headers(HERE), "shardlog-command": b"deposit"})
    sending.put(b"[2]")
    input = opened(settings, read_avro=read_avro)
    assert [offset for offset, _ in read_all(input, 1)] == [0]
    for _ in range(2):
        with pytest.raises(TimeoutError):
            wait_until(lambda: bool(input.read(0, 1, 10)), "it neither reads nor fails")
    answers.append(b'{"amount":5}')
    found = read_all(input, 2, start=1)
    assert [offset for offset, _ in found] == [1, 2]
    assert b'{"amount":5}' in found[0][1]


def test_a_reader_that_finds_nothing_is_woken_by_what_comes(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    input = opened(settings)
    woken: list[float] = []
    input.on_arrival(lambda: woken.append(time.monotonic()))
    for number in range(3):
        assert not input.read(0, number, 10)
        assert len(woken) == number
        sending.put(b"[1]")
        wait_until(lambda: len(woken) == number + 1, "nobody was woken")  # noqa: B023  # called at once
        assert [offset for offset, _ in input.read(0, number, 10)] == [number]


def test_the_id_of_a_topic_is_that_of_the_cluster(settings: KafkaSettings, opened: Callable[..., KafkaInput]) -> None:
    input = opened(settings)
    assert input.name == f"kafka:{settings.commands_topic}:{KafkaTopics(settings).id_of(settings.commands_topic)}"
    assert not input.carries_sends
