"""The projection benchmark's counters in faust-streaming, as a process: it knows nothing of shardlog.

`python faust_counters.py SETTINGS`: JSON with bootstrap, topic, events, warm_up, batch, directory; the database in
DATABASE. It consumes events and upserts the counters with its offset in one transaction: for each event, or, where
`batch` is above 1, for as many. It prints events a second, from the event `warm_up` to the last.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import Any

import faust
import msgspec
import psycopg

given: dict[str, Any] = json.loads(sys.argv[1])
COUNT = (
    "INSERT INTO months (carrier, month, flights, delay_sum_min) VALUES (%s, %s, 1, %s) "
    "ON CONFLICT (carrier, month) DO UPDATE SET flights = months.flights + excluded.flights, "
    "delay_sum_min = months.delay_sum_min + excluded.delay_sum_min"
)
MOVE = "UPDATE place SET next = %s"
TABLES = (
    "DROP TABLE IF EXISTS months, place",
    "CREATE TABLE months (carrier text, month bigint, flights bigint, delay_sum_min bigint, "
    "PRIMARY KEY (carrier, month))",
    "CREATE TABLE place (next bigint)",
    "INSERT INTO place VALUES (0)",
)


class Flown(msgspec.Struct):
    """What it counts by, and what it sums."""

    carrier: str
    month: int
    delay_min: int


app = faust.App(
    given["topic"],
    broker=f"kafka://{given['bootstrap']}",
    store="memory://",
    datadir=given["directory"],
    topic_partitions=1,
    topic_replication_factor=1,
    topic_disable_leader=True,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
)
source = app.topic(given["topic"], value_type=bytes, value_serializer="raw", key_serializer="raw")
decode = msgspec.json.Decoder(Flown).decode


@app.agent(source)
async def count(stream: Any) -> None:
    """All events, then the figure."""
    seen, began = 0, 0.0
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE"], autocommit=True) as connection:
        for statement in TABLES:
            await connection.execute(statement)
        async for values in stream.take(given["batch"], within=0.1) if given["batch"] > 1 else single(stream):
            rows = [(event.carrier, event.month, event.delay_min) for event in map(decode, values)]
            async with connection.transaction(), connection.cursor() as cursor:
                await (cursor.executemany(COUNT, rows) if len(rows) > 1 else cursor.execute(COUNT, rows[0]))
                await cursor.execute(MOVE, (seen + len(rows),))
            before, seen = seen, seen + len(rows)
            if before < given["warm_up"] <= seen:
                began, given["warm_up"] = perf_counter(), seen
            elif seen >= given["events"]:
                print((seen - given["warm_up"]) / (perf_counter() - began), flush=True)
                os._exit(0)  # the figure is there; ending an app in order takes it a minute


async def single(stream: Any) -> Any:
    """One at a time."""
    async for value in stream:
        yield [value]


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
