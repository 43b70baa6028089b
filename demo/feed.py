"""The feed: every command of the flights data, in order, split by shard, encoded when it is read.

A command is held as one integer, so that a year of them takes some 20 MB and sorts in a second: from the high bits
down its instant, its step's rank, its flight's place in the order of ids, and whether it goes to the aircraft. That is
the order of the whole feed, too.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from pathlib import Path

from demo.columns import Columns
from demo.records import record, time_text
from domain.flights.dataset import AIRPORTS_FILE, FLIGHTS_FILE, data_folder
from domain.flights.sequence import ARRIVE, CANCEL, DEPART, DIVERT, SCHEDULE, steps_of
from domain.flights.source import MONTHS, read_flights
from shardlog.sharding import shard_of

FEED_FORMAT = 1
"""Raised when the same data would give other records: other commands, another order, other bytes."""

PLACE_BITS = 20
_PLACE_MASK = (1 << PLACE_BITS) - 1


class FlightsFeed:
    """The commands of the first `months` months (1 to 12), each shard's in its own sequence of offsets from 0.

    shards: how many the journal has. folder: of the data files, default the installed package's.
    Reading and sorting the year takes seconds. Raises DatasetMissing, FactsBroken.
    """

    def __init__(self, months: int = MONTHS, shards: int = 4, folder: Path | None = None) -> None:
        folder = folder or data_folder()
        self.digest = feed_digest(folder, months, shards)
        self._flights = Columns()
        codes, owners = array("q"), array("i")
        for index, flight in enumerate(read_flights(months, folder)):
            self._flights.append(flight)
            for instant, step, both in steps_of(flight):
                codes.append((instant << 3 | step) << 1 | both)
                owners.append(index)
        self._order = array("i", sorted(range(len(self._flights)), key=self._flights.id.__getitem__))
        self._shards = [array("q", sorted(keys)) for keys in self._split(codes, owners, shards)]

    @property
    def name(self) -> str:
        """The input's name in frames: other data, months, shards or format make another input of it."""
        return f"feeder:flights:{self.digest}"

    def total(self, shard: int | None = None) -> int:
        """How many commands a shard has; without a shard, all of them."""
        return len(self._shards[shard]) if shard is not None else sum(map(len, self._shards))

    def read(self, shard: int, start: int, limit: int) -> list[bytes]:
        """Up to `limit` records of this shard from offset `start`; none at the end."""
        flights, order, encoders = self._flights, self._order, _ENCODERS
        records: list[bytes] = []
        for key in self._shards[shard][start : start + limit]:
            code = key >> PLACE_BITS + 1
            encode = encoders[code & 7][key & 1]
            records.append(encode(flights, order[key >> 1 & _PLACE_MASK], code >> 3))
        return records

    def _split(self, codes: array[int], owners: array[int], shards: int) -> list[list[int]]:
        flight_shard = array("h", [shard_of(flight, shards) for flight in self._flights.id])
        aircraft_shard = array("h", [shard_of(tail, shards) for tail in self._flights.tail])
        places = array("i", bytes(self._order.itemsize * len(self._order)))
        for place, index in enumerate(self._order):
            places[index] = place
        keys: list[list[int]] = [[] for _ in range(shards)]
        for code, index in zip(codes, owners, strict=True):
            key = (code >> 1 << PLACE_BITS | places[index]) << 1
            keys[flight_shard[index]].append(key)
            if code & 1:
                keys[aircraft_shard[index]].append(key | 1)
        return keys


def feed_digest(folder: Path, months: int, shards: int) -> str:
    """32 hex digits of everything that the records and their offsets depend on."""
    digest = hashlib.blake2b(f"{FEED_FORMAT}/{months}/{shards}/".encode(), digest_size=16)
    for file in (FLIGHTS_FILE, AIRPORTS_FILE):
        digest.update(hashlib.blake2b((folder / file).read_bytes()).digest())
    return digest.hexdigest()


def _schedule(f: Columns, i: int, at: int) -> bytes:
    tail = f'"{f.tail[i]}"' if f.tail[i] else "null"
    return record(
        "flight", f.id[i], "schedule", f.id[i], at,
        f'{{"carrier":"{f.carrier[i]}","number":{f.number[i]},"tail":{tail},"origin":"{f.origin[i]}",'
        f'"destination":"{f.destination[i]}","departs_at":"{time_text(f.scheduled_departure[i])}",'
        f'"arrives_at":"{time_text(f.scheduled_arrival[i])}","distance_miles":{f.distance[i]},'
        f'"month":{f.month[i]},"hour":{f.hour[i]}}}',
    )  # fmt: skip


def _depart(f: Columns, i: int, at: int) -> bytes:
    payload = f'{{"at":"{time_text(at)}","delay_min":{f.departure_delay[i]},"tail":"{f.tail[i]}"}}'
    return record("flight", f.id[i], "depart", f.id[i], at, payload)


def _arrive(f: Columns, i: int, at: int) -> bytes:
    payload = (
        f'{{"at":"{time_text(at)}","delay_min":{f.arrival_delay[i]},"air_time_min":{f.air_time[i]},'
        f'"distance_miles":{f.distance[i]}}}'
    )
    return record("flight", f.id[i], "arrive", f.id[i], at, payload)


def _cancel(f: Columns, i: int, at: int) -> bytes:
    return record("flight", f.id[i], "cancel", f.id[i], at, "{}")


def _divert(f: Columns, i: int, at: int) -> bytes:
    return record("flight", f.id[i], "divert", f.id[i], at, "{}")


def _leg(f: Columns, i: int) -> str:
    return f'"flight":"{f.id[i]}","origin":"{f.origin[i]}","destination":"{f.destination[i]}"'


def _aircraft_departs(f: Columns, i: int, at: int) -> bytes:
    return record("aircraft", f.tail[i], "depart", f.id[i], at, f'{{"at":"{time_text(at)}",{_leg(f, i)}}}')


def _aircraft_arrives(f: Columns, i: int, at: int) -> bytes:
    payload = f'{{"at":"{time_text(at)}",{_leg(f, i)},"air_time_min":{f.air_time[i]},"distance_miles":{f.distance[i]}}}'
    return record("aircraft", f.tail[i], "arrive", f.id[i], at, payload)


def _aircraft_diverts(f: Columns, i: int, at: int) -> bytes:
    return record("aircraft", f.tail[i], "divert", f.id[i], at, f"{{{_leg(f, i)}}}")


_ENCODERS: dict[int, tuple[Callable[[Columns, int, int], bytes], ...]] = {
    SCHEDULE: (_schedule,),
    CANCEL: (_cancel,),
    DEPART: (_depart, _aircraft_departs),
    ARRIVE: (_arrive, _aircraft_arrives),
    DIVERT: (_divert, _aircraft_diverts),
}
"""By step: the record for the flight, and the one for its aircraft."""
