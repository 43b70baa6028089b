"""What is not there any more in a commands topic is refused and named, until it is accepted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from domain.banking.messages import Deposit, Open
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError, InputChanged, InputTruncated
from tests.services.kafka_commands.commands_topic import HERE, THERE, cut, made_again, read_all
from tests.services.kafka_served import KafkaServed, Sending, envelope, wait_until


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
