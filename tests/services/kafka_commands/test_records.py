"""What a shard makes of the records of a commands topic, on a real broker."""

from __future__ import annotations

from collections.abc import Callable

from domain.banking.messages import Deposit, Open, Withdraw
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.executor.limits import Limits
from tests.services.kafka_commands.commands_topic import HERE, THERE, open_in_headers
from tests.services.kafka_served import KafkaServed, Sending, entries, envelope, frames

SMALL = Limits(frame_bytes_max=60_000, command_bytes_max=4_000, back_off_max_ms=500)


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
    second = sending.put(b'{"owner":"ann"}', headers=open_in_headers(THERE))
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
