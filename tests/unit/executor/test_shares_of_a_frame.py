"""What waits in front of a shard, and beside one another: requests, sends, records of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from shardlog import Command, CommandAccepted
from shardlog.executor.mode import Mode
from shardlog.ports.sends import At, SendsSource
from tests.unit.executor.ledger import Deposit, Look, Note
from tests.unit.executor.served import HandInput, Served, everything, origin, record, replayed, value


class Offered(SendsSource):
    """A hundred sends of one source."""

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        last = received.get(1, (1, 0, 0))[1]
        return [
            value("s:1", Look(), command_id=f"s{n}", origin=origin((1, n, 0), (1, n - 1, 0) if n > 1 else None))
            for n in range(last + 1, 101)
        ][:limit]


@pytest.mark.parametrize("command", [Deposit(amount=1), Note(text="x" * 10_000)], ids=["many", "large"])
def test_requests_leave_room_for_sends_and_these_for_inputs(command: Command) -> None:
    source = HandInput()
    served = Served(inputs=[source], sends=Offered())
    served.journal.deliver_all()
    while served.shard.mode is not Mode.SERVING:
        served.step()
        served.journal.deliver_all()
    source.put(*(value("i:1", Look()) for _ in range(100)))
    for number in range(300):
        served.submit(f"r{number}:1", command)
    before = len(served.journal.in_flight())
    served.step()
    (flight,) = served.journal.in_flight()[before:]
    served.journal.deliver(flight)
    channels = [entry.channel for entry in served.entries()]
    assert {"local", "manager", "feeder"} <= set(channels)


def test_a_topics_record_and_a_request_with_one_id_are_known_apart() -> None:
    """Each window speaks of its own channel, whether what it knows is acknowledged or on its way."""
    source = HandInput("kafka:t:1")
    served = Served(inputs=[source]).serve()
    served.submit("a:1", Deposit(amount=5), command_id="x")
    served.step()
    source.put(value("a:1", Deposit(amount=700), command_id="x"))
    served.settle()
    assert served.state("a:1").balance == 705
    source.put(value("b:1", Deposit(amount=1), command_id="same"))
    served.step()
    assert isinstance(served.send("b:1", Deposit(amount=1), command_id="same"), CommandAccepted)
    assert served.state("b:1").balance == 2
    assert replayed(served) == everything(served.core.state)


def test_a_repeat_of_a_topics_record_that_is_on_its_way_is_known() -> None:
    source = HandInput("kafka:t:1")
    served = Served(inputs=[source]).serve()
    for _ in range(2):
        source.put(value("a:1", Deposit(amount=5), command_id="x"))
        served.step()
    served.settle()
    assert served.state("a:1").balance == 5


def test_a_late_repeat_gets_its_first_reply_beside_another_command_too() -> None:
    served = Served().serve()
    first = served.send("a:1", Deposit(amount=1), command_id="a")
    served.world.wait(120_000)
    repeat = served.submit("a:1", Deposit(amount=1), command_id="a")
    served.submit("b:1", Deposit(amount=1))
    served.settle()
    assert served.outcome(repeat) == first


def test_a_refusal_whose_payload_grows_in_the_frame_is_recorded_without_it() -> None:
    source = HandInput()
    served = Served(inputs=[source]).serve()
    payload = msgspec.Raw(b'{"amount":[' + b",".join([b"1e15"] * 52_000) + b"]}")
    source.put(value("a:1", Deposit(amount=1), payload=payload, command_id="x", origin=origin((1, 1, 0), None)))
    served.settle()
    (entry,) = served.entries()
    assert (entry.code, bytes(entry.payload)) == ("invalid_command", b"null")
    assert served.core.received == {1: (1, 1, 0)}
    assert max(len(found) for _, found in served.valid()) <= served.core.limits.frame_bytes_max


def test_a_record_at_the_size_limit_is_taken_with_the_origin_that_a_relay_gave_it() -> None:
    source = HandInput()
    served = Served(inputs=[source]).serve()
    plain = record("a:1", Note(text=""), command_id="c")
    room = served.core.limits.command_bytes_max - len(msgspec.json.encode(plain))
    source.put(value("a:1", Note(text="x" * room), command_id="c", origin=origin((1, 1, 0), None)))
    served.settle()
    assert served.version("a:1") == 1
    assert served.core.received == {1: (1, 1, 0)}


def test_an_input_that_cannot_be_read_is_named_and_asked_again_and_the_shard_goes_on() -> None:
    class Away(HandInput):
        is_away = True

        def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
            if self.is_away:
                raise OSError("the share is not mounted")
            return super().read(shard, start, limit)

    away = Away()
    away.put(value("a:1", Deposit(amount=5)))
    served = Served(inputs=[away]).serve()
    assert isinstance(served.send("b:1", Deposit(amount=1)), CommandAccepted)
    assert served.shard.input_errors == {"feeder:hand:1": "offset 0: OSError: the share is not mounted"}
    away.is_away = False
    served.world.wait(served.core.limits.back_off_max_ms)
    served.settle()
    assert served.state("a:1").balance == 5
    assert served.shard.input_errors == {}
