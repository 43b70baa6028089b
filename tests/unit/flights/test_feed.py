"""The feed of January, and the count of the year."""

from __future__ import annotations

from itertools import chain, pairwise
from uuid import uuid5

import msgspec
import pytest

from demo.feed import FlightsFeed, feed_digest
from demo.records import COMMANDS_NAMESPACE
from domain.flights import flights
from domain.flights.dataset import data_folder
from domain.flights.sequence import steps_of
from domain.flights.source import read_flights
from shardlog.executor.requests import CommandRecord, decode_record
from shardlog.sharding import shard_of

RANKS = {"arrive": 0, "divert": 1, "cancel": 2, "schedule": 3, "depart": 4}
JANUARY = 133_527


def records(feed: FlightsFeed, shard: int = 0) -> list[CommandRecord]:
    return [decode_record(value) for value in feed.read(shard, 0, feed.total(shard))]


def payload(record: CommandRecord) -> dict[str, object]:
    return msgspec.json.decode(record.payload, type=dict[str, object])


def flight_of(record: CommandRecord) -> str:
    return record.id if record.category == "flight" else str(payload(record)["flight"])


@pytest.fixture(scope="module")
def commands(january: FlightsFeed) -> list[CommandRecord]:
    return records(january)


def test_the_year_has_1_659_832_commands() -> None:
    assert sum(1 + both for flight in read_flights() for _, _, both in steps_of(flight)) == 1_659_832


def test_january_comes_in_order_of_instant_rank_flight_and_flight_before_aircraft(
    commands: list[CommandRecord],
) -> None:
    assert len(commands) == JANUARY
    keys = [
        (record.occurred_at or 0, RANKS[record.command], flight_of(record).encode(), record.category == "aircraft")
        for record in commands
    ]
    assert all(before < after for before, after in pairwise(keys))


def test_every_payload_is_a_command_and_comes_back_as_it_was(commands: list[CommandRecord]) -> None:
    for record in commands:
        command_type = flights.aggregates[record.category].commands_by_name[record.command]
        command = msgspec.json.decode(record.payload, type=command_type)
        assert msgspec.json.encode(command) == bytes(record.payload)


def test_a_record_is_what_the_data_say(commands: list[CommandRecord]) -> None:
    mine = [record for record in commands if flight_of(record) == "2013-01-01-UA-1545-EWR"]
    assert [(record.category, record.id, record.command, record.occurred_at) for record in mine] == [
        ("flight", "2013-01-01-UA-1545-EWR", "schedule", 1356948900_000_000),
        ("flight", "2013-01-01-UA-1545-EWR", "depart", 1357035420_000_000),
        ("aircraft", "N14228", "depart", 1357035420_000_000),
        ("flight", "2013-01-01-UA-1545-EWR", "arrive", 1357050600_000_000),
        ("aircraft", "N14228", "arrive", 1357050600_000_000),
    ]
    assert [payload(record) for record in mine] == [
        {
            "carrier": "UA", "number": 1545, "tail": "N14228", "origin": "EWR", "destination": "IAH",
            "departs_at": "2013-01-01T10:15:00Z", "arrives_at": "2013-01-01T14:19:00Z", "distance_miles": 1400,
            "month": 1, "hour": 5,
        },
        {"at": "2013-01-01T10:17:00Z", "delay_min": 2, "tail": "N14228"},
        {"at": "2013-01-01T10:17:00Z", "flight": "2013-01-01-UA-1545-EWR", "origin": "EWR", "destination": "IAH"},
        {"at": "2013-01-01T14:30:00Z", "delay_min": 11, "air_time_min": 227, "distance_miles": 1400},
        {
            "at": "2013-01-01T14:30:00Z", "flight": "2013-01-01-UA-1545-EWR", "origin": "EWR", "destination": "IAH",
            "air_time_min": 227, "distance_miles": 1400,
        },
    ]  # fmt: skip


def test_a_command_id_is_a_uuid5_of_flight_command_and_stream(commands: list[CommandRecord]) -> None:
    for record in commands[:2_000]:
        name = f"{flight_of(record)}/{record.command}/{record.category}/{record.id}"
        assert record.command_id == str(uuid5(COMMANDS_NAMESPACE, name))
    assert len({record.command_id for record in commands}) == len(commands)


def test_shards_share_the_commands_by_routing_key_and_keep_their_order(january: FlightsFeed) -> None:
    feed = FlightsFeed(months=1, shards=3)
    of_shard: list[list[bytes]] = [[], [], []]
    for value in january.read(0, 0, JANUARY):
        of_shard[shard_of(decode_record(value).id, 3)].append(value)
    assert [feed.read(shard, 0, JANUARY) for shard in range(3)] == of_shard
    assert [feed.total(shard) for shard in range(3)] == [len(values) for values in of_shard]
    assert feed.total() == JANUARY


def test_reading_in_pieces_gives_the_same_records(january: FlightsFeed) -> None:
    pieces = [january.read(0, start, 7) for start in range(0, 70, 7)]
    assert list(chain.from_iterable(pieces)) == january.read(0, 0, 70)
    assert january.read(0, JANUARY - 1, 100) == january.read(0, JANUARY - 1, 1)
    assert january.read(0, JANUARY, 100) == []


def test_the_inputs_name_holds_what_the_offsets_depend_on(january: FlightsFeed) -> None:
    assert january.name == f"feeder:flights:{january.digest}"
    digests = {feed_digest(data_folder(), months, shards) for months, shards in [(1, 1), (1, 2), (2, 1), (1, 1)]}
    assert january.digest in digests
    assert len(digests) == 3
