"""Time rules, with the rows of the data that each of them is there for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.flights.instants import (
    clock_minute,
    first_showing,
    instant_of,
    midnight,
    next_arrival_day,
    to_datetime,
    to_utc,
)

NEW_YORK = "America/New_York"


def utc(text: str) -> int:
    """`2013-03-10 07:03` as an instant."""
    return int(datetime.fromisoformat(f"{text}Z").timestamp()) // 60


def local(text: str) -> int:
    """What a clock on a wall shows, as a local minute."""
    return utc(text)


def test_a_clock_time_has_no_leading_zeros() -> None:
    assert [clock_minute(text) for text in ("1", "59", "517", "1200", "2359")] == [1, 59, 317, 720, 1439]


def test_2400_is_the_end_of_the_day() -> None:
    assert clock_minute("2400") == 1440
    assert to_utc(NEW_YORK, midnight("2013", "7", "4") + clock_minute("2400")) == utc("2013-07-05 04:00")


@pytest.mark.parametrize("text", ["0", "60", "1275", "2401", "-5", "NA"])
def test_what_no_clock_shows_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time on a clock|invalid literal"):
        clock_minute(text)


def test_an_instant_is_minutes_since_1970() -> None:
    assert instant_of("1970-01-01T00:01:59Z") == 1
    assert instant_of("2013-01-01T10:00:00Z") == utc("2013-01-01 10:00")
    assert to_datetime(utc("2013-01-01 10:15")) == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        (NEW_YORK, "2013-01-15 17:00", "2013-07-15 16:00"),
        ("America/Phoenix", "2013-01-15 19:00", "2013-07-15 19:00"),
        ("Pacific/Honolulu", "2013-01-15 22:00", "2013-07-15 22:00"),
        ("Etc/GMT+4", "2013-01-15 16:00", "2013-07-15 16:00"),
    ],
)
def test_noon_follows_daylight_saving_where_there_is_any(zone: str, winter: str, summer: str) -> None:
    assert to_utc(zone, local("2013-01-15 12:00")) == utc(winter)
    assert to_utc(zone, local("2013-07-15 12:00")) == utc(summer)


def test_a_time_in_the_gap_is_read_on_the_unchanged_clock() -> None:
    assert to_utc(NEW_YORK, local("2013-03-10 01:59")) == utc("2013-03-10 06:59")
    assert to_utc(NEW_YORK, local("2013-03-10 02:03")) == utc("2013-03-10 07:03")
    assert to_utc(NEW_YORK, local("2013-03-10 03:00")) == utc("2013-03-10 07:00")


def test_a_time_in_the_repeated_hour_is_the_first_of_the_two() -> None:
    assert to_utc(NEW_YORK, local("2013-11-03 01:30")) == utc("2013-11-03 05:30")
    assert to_utc(NEW_YORK, local("2013-11-03 02:00")) == utc("2013-11-03 07:00")


def test_an_arrival_that_is_not_after_the_departure_is_on_the_next_day() -> None:
    date = midnight("2013", "1", "1")
    assert next_arrival_day(NEW_YORK, date, clock_minute("830"), utc("2013-01-01 10:00")) == utc("2013-01-01 13:30")
    assert next_arrival_day(NEW_YORK, date, clock_minute("8"), utc("2013-01-02 02:45")) == utc("2013-01-02 05:08")
    assert next_arrival_day(NEW_YORK, date, clock_minute("500"), utc("2013-01-01 10:00")) == utc("2013-01-02 10:00")


def test_the_next_day_is_one_on_the_calendar_and_not_24_hours() -> None:
    spring = next_arrival_day(NEW_YORK, midnight("2013", "3", "10"), clock_minute("14"), utc("2013-03-11 02:53"))
    autumn = next_arrival_day(NEW_YORK, midnight("2013", "11", "3"), clock_minute("2"), utc("2013-11-04 01:58"))
    assert (spring, autumn) == (utc("2013-03-11 04:14"), utc("2013-11-04 05:02"))


def test_a_clock_shows_a_time_first_after_and_not_at_an_instant() -> None:
    assert first_showing(NEW_YORK, clock_minute("800"), utc("2013-01-01 12:59")) == utc("2013-01-01 13:00")
    assert first_showing(NEW_YORK, clock_minute("800"), utc("2013-01-01 13:00")) == utc("2013-01-02 13:00")


def test_a_clock_that_shows_2400_is_at_midnight() -> None:
    assert first_showing("America/Chicago", clock_minute("2400"), utc("2013-06-01 20:00")) == utc("2013-06-02 05:00")


def test_a_skipped_time_is_first_shown_a_day_later() -> None:
    assert first_showing(NEW_YORK, clock_minute("203"), utc("2013-03-10 06:00")) == utc("2013-03-11 06:03")


def test_a_repeated_time_is_shown_twice() -> None:
    assert first_showing(NEW_YORK, clock_minute("130"), utc("2013-11-03 05:00")) == utc("2013-11-03 05:30")
    assert first_showing(NEW_YORK, clock_minute("130"), utc("2013-11-03 05:30")) == utc("2013-11-03 06:30")


def test_a_destination_further_west_may_still_have_yesterday() -> None:
    assert first_showing("Pacific/Honolulu", clock_minute("2330"), utc("2013-01-02 09:00")) == utc("2013-01-02 09:30")
