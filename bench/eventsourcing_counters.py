"""The projection benchmark's counters by the library `eventsourcing`, as a process: events in PostgreSQL, its
projection runner, and a tracking recorder that upserts the counter and the place in one transaction.

`python -m bench.eventsourcing_counters EVENTS WARM_UP`, the database in DATABASE. It prints events a second, from the
event WARM_UP to the last.
"""

from __future__ import annotations

import os
import sys
from functools import singledispatchmethod
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

AGGREGATE_EVENTS = 100
WAIT_SECONDS = 300.0
TABLE = SQL(
    "CREATE TABLE IF NOT EXISTS eventsourcing_months (carrier text, month bigint, flights bigint, "
    "delay_sum_min bigint, PRIMARY KEY (carrier, month))"
).format()
COUNT = (
    "INSERT INTO eventsourcing_months AS held VALUES (%s, %s, 1, %s) ON CONFLICT (carrier, month) DO UPDATE SET "
    "flights = held.flights + excluded.flights, delay_sum_min = held.delay_sum_min + excluded.delay_sum_min"
)


class Flight(Aggregate):
    """What is counted are its events."""

    @event("Flown")
    def fly(self, carrier: str, month: int, delay_min: int) -> None:
        """Nothing is kept of it."""


class Flights(Application[UUID]):
    """Writes the events."""

    name = "flights"


class Months(PostgresTrackingRecorder):
    """Counters, and how far they are."""

    def __init__(self, datastore: PostgresDatastore, **options: Any) -> None:
        super().__init__(datastore, **options)
        self.sql_create_statements.append(TABLE)

    def count(self, carrier: str, month: int, delay_min: int, tracking: Tracking) -> None:
        """Both in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(COUNT, (carrier, month, delay_min), prepare=True)


class Counters(Projection[Months]):
    """An event at a time, as its runner calls it."""

    name = "months"

    @singledispatchmethod
    def process_event(self, _event: Any, tracking: Tracking) -> None:
        """Others are passed over."""
        self.view.insert_tracking(tracking)

    @process_event.register
    def flown(self, event: Flight.Flown, tracking: Tracking) -> None:  # type: ignore[name-defined]  # made by @event
        """One flight."""
        self.view.count(event.carrier, event.month, event.delay_min, tracking)


def main(events: int, warm_up: int) -> None:
    url = urlsplit(os.environ["DATABASE"])
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path.strip("/"),
        "POSTGRES_HOST": url.hostname or "",
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username or "",
        "POSTGRES_PASSWORD": url.password or "",
    }
    with Flights(env) as flights:
        for first in range(0, events, AGGREGATE_EVENTS):
            flight = Flight()
            for number in range(first, min(first + AGGREGATE_EVENTS, events)):
                flight.fly(f"C{number % 16}", number % 12 + 1, number % 90 - 20)
            flights.save(flight)
        last = flights.recorder.max_notification_id()
    with ProjectionRunner(application_class=Flights, projection_class=Counters, view_class=Months, env=env) as runner:
        runner.wait(warm_up, WAIT_SECONDS)
        began = perf_counter()
        runner.wait(last, WAIT_SECONDS)
        assert last is not None
        print((last - warm_up) / (perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
