"""Time rules: from a clock on a wall somewhere to minutes since 1970 UTC.

Every instant here is a whole number of minutes since 1970-01-01T00:00Z, since the data know nothing finer. A local
minute is what a wall clock and its calendar show, counted in the same way as if the place were in UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
_DAY_OF_1970 = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def clock_minute(hhmm: str) -> int:
    """Minutes since midnight of a clock time without leading zeros: `517` is 05:17, `2400` the end of the day.

    Raises ValueError for what no clock shows; `0` is one of them, as midnight is always `2400` here.
    """
    hour, minute = divmod(int(hhmm), 100)
    if minute > 59 or not 0 < hour * 60 + minute <= MINUTES_A_DAY:
        raise ValueError(f"{hhmm!r} is no time on a clock: hours and minutes from 1 to 2400 without leading zeros")
    return hour * 60 + minute


@lru_cache(maxsize=4096)
def midnight(year: str, month: str, day: str) -> int:
    """The local minute at which this date begins."""
    return (date(int(year), int(month), int(day)).toordinal() - _DAY_OF_1970) * MINUTES_A_DAY


@lru_cache(maxsize=1 << 14)
def instant_of(text: str) -> int:
    """The instant of an ISO 8601 text with a zone, cut to the minute: `2013-01-01T10:00:00Z`."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(minutes=1)


def to_datetime(instant: int) -> datetime:
    """The instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(minutes=instant)


def to_utc(zone: str, local: int) -> int:
    """The instant at which a clock in this zone shows a local minute.

    In a repeated hour the first of the two. A time in a gap is read as if the clocks had not been changed yet, so
    02:03 in a spring night is the instant at which the changed clocks show 03:03.
    """
    return local - _offset(zone, local // 60, 0)


def next_arrival_day(zone: str, midnight_local: int, clock: int, after: int) -> int:
    """The instant at which the clock shows `clock` (minutes) on this date, or a day later if that is not after `after`.

    The day is one on the calendar, not 24 hours: in the two nights of the year when clocks change they differ.
    """
    instant = to_utc(zone, midnight_local + clock)
    return instant if instant > after else to_utc(zone, midnight_local + clock + MINUTES_A_DAY)


def first_showing(zone: str, clock: int, after: int) -> int:
    """The first instant after `after` at which a clock in this zone shows `clock` (minutes; 1440 is midnight).

    A time that a day skips is not shown on that day; one that a day repeats is shown twice.
    """
    day = (after + _offset_at(zone, after)) // MINUTES_A_DAY * MINUTES_A_DAY
    shown = clock % MINUTES_A_DAY
    while True:
        local = day + shown
        for fold in (0, 1):
            instant = local - _offset(zone, local // 60, fold)
            if instant > after and instant + _offset_at(zone, instant) == local:
                return instant
        day += MINUTES_A_DAY


@lru_cache(maxsize=1 << 17)
def _offset(zone: str, local_hour: int, fold: int) -> int:
    """Minutes east of UTC while a clock shows this hour; clocks are changed on the hour in every zone used here."""
    local = (_EPOCH + timedelta(hours=local_hour)).replace(tzinfo=ZoneInfo(zone), fold=fold)
    offset = local.utcoffset()
    assert offset is not None
    return offset // timedelta(minutes=1)


def _offset_at(zone: str, instant: int) -> int:
    offset = to_datetime(instant).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset // timedelta(minutes=1)
