"""An instant falls into the windows that hold it, and into no other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardlog import DomainError, calendar_day, calendar_month, hopping, tumbling

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT = datetime(2026, 3, 1, 10, 17, 30, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
offsets = st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23)).map(timezone)
instants = st.datetimes(
    min_value=datetime(1800, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC) | offsets
)
sizes = st.integers(min_value=1, max_value=400_000)


@given(instants, sizes)
def test_a_tumbling_window_holds_its_instant_and_begins_a_multiple_of_its_size_after_1970(
    at: datetime, seconds: int
) -> None:
    start, size = tumbling(at, seconds=seconds), timedelta(seconds=seconds)
    assert start <= at < start + size
    assert (start - EPOCH) % size == timedelta()
    assert start.tzinfo is UTC


@given(instants, sizes, instants)
def test_one_of_the_windows_begins_at_the_origin(at: datetime, seconds: int, origin: datetime) -> None:
    start, size = tumbling(at, seconds=seconds, origin=origin), timedelta(seconds=seconds)
    assert start <= at < start + size
    assert (start - origin) % size == timedelta()
    assert start.tzinfo is UTC
    assert hopping(at, seconds=seconds, every=size, origin=origin) == (start,)


@given(instants)
def test_weeks_begin_on_a_thursday_or_on_the_day_of_their_origin(at: datetime) -> None:
    assert tumbling(at, days=7).isoweekday() == 4
    monday = tumbling(at, days=7, origin=datetime(2026, 1, 5, tzinfo=UTC))
    utc = at.astimezone(UTC)
    assert monday.date() == utc.date() - timedelta(days=utc.isoweekday() - 1)
    assert (monday.hour, monday.minute, monday.second, monday.microsecond) == (0, 0, 0, 0)


def test_an_origin_without_a_time_zone_is_refused_with_what_to_write() -> None:
    for call in (lambda origin: tumbling(AT, days=7, origin=origin),
                 lambda origin: hopping(AT, days=7, every=timedelta(days=1), origin=origin)):  # fmt: skip
        with pytest.raises(DomainError, match=r"origin=.* must be an instant.*tzinfo=UTC"):
            call(datetime(2026, 1, 5))


@given(instants, sizes, sizes)
def test_hopping_windows_are_all_that_hold_the_instant(at: datetime, seconds: int, every_seconds: int) -> None:
    size, every = timedelta(seconds=max(seconds, every_seconds)), timedelta(seconds=min(seconds, every_seconds))
    if size // every > 1_000:
        every = size / 1_000 - (size / 1_000) % timedelta(seconds=1) + timedelta(seconds=1)
    first = tumbling(at - size, seconds=int(every.total_seconds()))
    near = [first + every * number for number in range(size // every + 3)]
    expected = tuple(start for start in near if start <= at < start + size)
    assert hopping(at, seconds=int(size.total_seconds()), every=every) == expected


@given(instants, sizes)
def test_windows_that_begin_at_each_others_end_are_tumbling_ones(at: datetime, seconds: int) -> None:
    assert hopping(at, seconds=seconds, every=timedelta(seconds=seconds)) == (tumbling(at, seconds=seconds),)


@given(instants, st.sampled_from([UTC, NEW_YORK, ZoneInfo("Asia/Kathmandu")]))
def test_the_same_instant_is_in_the_same_window_whatever_zone_it_is_written_in(at: datetime, zone: ZoneInfo) -> None:
    moved = at.astimezone(zone)
    assert tumbling(moved, minutes=5) == tumbling(at, minutes=5)
    assert hopping(moved, hours=1, every=timedelta(minutes=7)) == hopping(at, hours=1, every=timedelta(minutes=7))
    assert calendar_day(moved, NEW_YORK) == calendar_day(at, NEW_YORK)


def test_days_and_months_are_those_of_the_zone_over_a_change_of_its_clocks() -> None:
    assert calendar_day(datetime(2026, 3, 8, 4, 59, tzinfo=UTC), NEW_YORK) == date(2026, 3, 7)
    assert calendar_day(datetime(2026, 3, 9, 3, 59, tzinfo=UTC), NEW_YORK) == date(2026, 3, 8)
    assert calendar_day(datetime(2026, 3, 9, 4, 0, tzinfo=UTC), NEW_YORK) == date(2026, 3, 9)
    assert calendar_month(datetime(2026, 3, 1, 4, 59, tzinfo=UTC), NEW_YORK) == date(2026, 2, 1)


WRONG = {
    "the size is nothing": lambda: tumbling(AT),
    "the size is -1 day, 23:59:59": lambda: tumbling(AT, seconds=-1),
    "the size is 367 days, 0:00:00": lambda: tumbling(AT, days=367),
    "every= is 0:00:00.500000": lambda: hopping(AT, minutes=5, every=timedelta(milliseconds=500)),
    "every=0:10:00 is more than the size, 0:05:00": lambda: hopping(AT, minutes=5, every=timedelta(minutes=10)),
    "86400 windows of 1 day, 0:00:00 hold an instant": lambda: hopping(AT, days=1, every=timedelta(seconds=1)),
    "a datetime with its time zone, and got datetime.datetime": lambda: tumbling(datetime(2026, 3, 1), minutes=5),
    "calendar_day takes an instant": lambda: calendar_day(datetime(2026, 3, 1), UTC),
    "calendar_month takes an instant": lambda: calendar_month(datetime(2026, 3, 1), UTC),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_window_is_refused(said: str) -> None:
    with pytest.raises(DomainError) as refused:
        WRONG[said]()
    assert said in str(refused.value)
