"""What is heard of frames: what is wanted of them, just as if all had been decoded, and nothing of what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardlog import Event
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import DomainError, UnknownFormat
from shardlog.journal.reader import Reader
from shardlog.projector.core import Record, Source, pass_over
from shardlog.projector.heard import FrameReader, Heard, OldEvent
from shardlog.projector.subscription import Start, Subscription, SubscriptionLimits
from tests.unit.projector.bank import Closed, Deposited, Noted, Opened, Paid, account, bank
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 2
TYPES: tuple[type[Event], ...] = (Opened, Deposited, Closed, Noted)
CONFUSING = ["", '["account/deposited/1",', "account/closed/1", '\\"', "}],[[", "\N{SNOWMAN}"]
events = st.one_of(
    st.builds(Opened, owner=st.sampled_from(CONFUSING)),
    st.builds(Deposited, amount=st.integers(0, 9)),
    st.builds(Closed),
    st.builds(Noted, text=st.sampled_from(CONFUSING) | st.text(max_size=5)),
    st.builds(Paid, amounts=st.lists(st.integers(0, 9), max_size=3).map(tuple)),
)
histories = st.lists(st.lists(st.tuples(st.sampled_from(["a:1", "b:1", "c:1"]), events), max_size=4), max_size=6)


def log_of(history: list[list[tuple[str, Event]]]) -> LogWriter:
    log = LogWriter(MemoryJournal(SHARDS), SHARDS)
    for happened in history:
        log.happened(*happened)
    return log


def frames(log: LogWriter) -> list[tuple[int, int, memoryview | bytes]]:
    records = [Record(shard, *found) for shard in range(SHARDS) for found in log.journal.read(shard, 0)]
    return [tuple(frame) for frame in pass_over(Source(JOURNAL, SHARDS), {}, records).frames]


def heard(log: LogWriter, wanted: frozenset[type[Event]], **more: object) -> list[Heard]:
    reader = FrameReader(bank()[0], (), JOURNAL, events=wanted, **more)  # type: ignore[arg-type]  # as the test wants it
    return [item for frame in frames(log) for item in reader.read(*frame)]


@given(histories, st.frozensets(st.sampled_from(TYPES)))
def test_what_is_heard_is_what_is_left_of_everything(
    history: list[list[tuple[str, Event]]], wanted: frozenset[type[Event]]
) -> None:
    log = log_of(history)
    everything = heard(log, frozenset(TYPES))
    is_any_wanted = bool(wanted)
    expected = [item for item in everything if item[0] in wanted or (item[0] is OldEvent and is_any_wanted)]
    assert heard(log, wanted) == expected


def test_events_of_other_categories_are_not_heard() -> None:
    log = log_of([[("a:1", Deposited(amount=1))]])
    assert len(heard(log, frozenset({Deposited}), categories=["account"])) == 1
    assert heard(log, frozenset({Deposited}), categories=["other"]) == []


class Unheard(Event):
    """Known to newer code alone."""


def test_an_event_that_this_code_does_not_know_stops_whoever_hears_nothing_of_its_frame() -> None:
    log = log_of([[("a:1", Unheard())]])
    with pytest.raises(UnknownFormat, match="account/unheard/1"):
        heard(log, frozenset({Deposited}))


def subscription(log: LogWriter, *wanted: type[Event]) -> Subscription:
    source = Source(JOURNAL, SHARDS)
    reader = FrameReader(bank()[0], (), JOURNAL, events=wanted)
    starts = {shard: Start(Reader(JOURNAL, shard, SHARDS), 0, 0) for shard in range(SHARDS)}
    return Subscription(log.journal, source, reader, wanted, starts, SubscriptionLimits())


def test_a_subscription_gives_what_old_events_become_and_no_more_than_is_wanted() -> None:
    log = log_of([[("a:1", Paid(amounts=(3, 4))), ("a:1", Closed())]])
    assert [event for event, _ in subscription(log, Deposited).step() or ()] == [
        Deposited(amount=3),
        Deposited(amount=4),
    ]
    assert [event for event, _ in subscription(log, Closed).step() or ()] == [Closed()]


def test_a_subscription_that_an_upcaster_stops_gives_what_is_before_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(old: Paid) -> tuple[Deposited, ...]:
        raise LookupError("no rate of that day")

    monkeypatch.setitem(account._upcasters, Paid, broken)
    log = log_of([[("a:1", Deposited(amount=1))], [("a:1", Paid(amounts=(3,)))], [("a:1", Deposited(amount=2))]])
    reading = subscription(log, Deposited)
    assert [event for event, _ in reading.step() or ()] == [Deposited(amount=1)]
    for _ in range(2):
        with pytest.raises(DomainError, match=r"account/a:1 version 2 at .*LookupError: no rate of that day"):
            reading.step()
