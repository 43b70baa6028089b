"""Windows of time that an instant falls into, as columns of a key: counts by what happened when, however late it came.

A window is named by its start. Starts depend on the instant alone, so an event that comes late is counted where it
belongs, and every rebuild counts alike.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from shardlog.errors import DomainError

WINDOWS_MAX = 1_000
"""How many windows one instant may fall into: each is a row that its event changes."""
SIZE_MAX = timedelta(days=366)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_ZERO = timedelta()


def tumbling(
    at: datetime,
    /,
    *,
    days: int = 0,
    hours: int = 0,
    minutes: int = 0,
    seconds: int = 0,
    origin: datetime = _EPOCH,
) -> datetime:
    """The start, in UTC, of the window of this size that holds the instant; windows follow one another.

    at: with a time zone. The size: whole seconds, 1 s to 366 days. origin: an instant that one of the windows begins
    at. Without it that is 1970, a Thursday: weeks from Monday on have a Monday as origin. Raises DomainError.

    >>> from datetime import UTC, datetime
    >>> from shardlog import tumbling
    >>> tumbling(datetime(2026, 3, 1, 10, 17, 30, tzinfo=UTC), minutes=5).isoformat()
    '2026-03-01T10:15:00+00:00'
    """
    size = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    _check_size("tumbling", "the size", size)
    first, since = _since("tumbling", at, origin)
    return first + (since - since % size)


def hopping(
    at: datetime,
    /,
    *,
    every: timedelta,
    days: int = 0,
    hours: int = 0,
    minutes: int = 0,
    seconds: int = 0,
    origin: datetime = _EPOCH,
) -> tuple[datetime, ...]:
    """The starts, in UTC, of all windows of this size that hold the instant, the earliest first; one begins `every`.

    at: with a time zone. every: 1 s to the size. The size: whole seconds, 1 s to 366 days, and so that no more than
    1,000 windows hold an instant. origin: as of `tumbling`. Raises DomainError.

    >>> from datetime import UTC, datetime, timedelta
    >>> from shardlog import hopping
    >>> at = datetime(2026, 3, 1, 10, 17, 30, tzinfo=UTC)
    >>> [start.strftime("%H:%M") for start in hopping(at, minutes=15, every=timedelta(minutes=5))]
    ['10:05', '10:10', '10:15']
    """
    size = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    _check_size("hopping", "the size", size)
    _check_size("hopping", "every=", every)
    if every > size:
        raise DomainError(
            f"hopping: every={every} is more than the size, {size}: instants between two windows would be in none. "
            "Make the size larger, or use tumbling"
        )
    if size // every > WINDOWS_MAX:
        raise DomainError(
            f"hopping: {size // every} windows of {size} hold an instant when one begins every {every}, and "
            f"{WINDOWS_MAX} are allowed: make `every` larger"
        )
    first, since = _since("hopping", at, origin)
    last = since - since % every
    older = (size - (since - last) - timedelta.resolution) // every
    return tuple(first + last - every * number for number in range(older, -1, -1))


def calendar_day(at: datetime, zone: tzinfo, /) -> date:
    """The day on which the instant falls on clocks of this zone. Raises DomainError for a time without a zone.

    zone: made once for a module, as in `BERLIN = ZoneInfo("Europe/Berlin")`: a handler reads no file.

    >>> from datetime import UTC, datetime
    >>> from zoneinfo import ZoneInfo
    >>> from shardlog import calendar_day
    >>> calendar_day(datetime(2026, 3, 1, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-03-02'
    """
    _check_instant("calendar_day", at)
    return at.astimezone(zone).date()


def calendar_month(at: datetime, zone: tzinfo, /) -> date:
    """The first day of the month in which the instant falls on clocks of this zone. As `calendar_day`."""
    _check_instant("calendar_month", at)
    return at.astimezone(zone).date().replace(day=1)


def _since(function: str, at: datetime, origin: datetime) -> tuple[datetime, timedelta]:
    """The origin in UTC, and how long after it the instant is; less than nothing before it."""
    if not isinstance(origin, datetime) or origin.tzinfo is None:
        raise DomainError(
            f"{function}: origin={origin!r}, and must be an instant, a datetime with its time zone: write "
            "`origin=datetime(2026, 1, 5, tzinfo=UTC)`"
        )
    _check_instant(function, at)
    first = origin.astimezone(UTC)
    return first, at - first


def _check_instant(function: str, at: datetime) -> None:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise DomainError(
            f"{function} takes an instant, a datetime with its time zone, and got {at!r}: use recorded.occurred_at, or "
            "a field that is an AwareDatetime"
        )


def _check_size(function: str, what: str, size: timedelta) -> None:
    if not isinstance(size, timedelta) or size <= _ZERO or size > SIZE_MAX or size % _SECOND:
        said = "nothing" if size == _ZERO else size if isinstance(size, timedelta) else repr(size)
        raise DomainError(
            f"{function}: {what} is {said}, and must be whole seconds from 1 s to {SIZE_MAX.days} days: write "
            + ("`minutes=5`" if what == "the size" else "`every=timedelta(minutes=5)`")
        )
