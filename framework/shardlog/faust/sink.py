"""A sink that writes what an agent reads into a SQL database, each event once, whatever is killed.

Rows and the place of the last record move in one transaction. A worker begins where its rows end, not where its
consumer group does, and drops whatever it is given again: an event whose position is not behind the last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import faust
import stamina
from sqlalchemy import Connection, Engine, update

from shardlog.adapters.sql.faults import mapped
from shardlog.client.published import Published
from shardlog.errors import CheckpointMoved, Diverged, StoreUnavailable
from shardlog.faust.app import PublishedApp
from shardlog.faust.places import PLACES, Partition, Place, lock_place, move_place, read_places
from shardlog.model.recorded import Position

Write: TypeAlias = Callable[[Connection, Sequence[Published]], None]
"""Writes the rows of records in their order, in the transaction that is given: it neither commits nor keeps it."""
RECORDS_MAX = 5_000
WITHIN_SECONDS = 0.1
TRY_SECONDS = 60.0


class SqlSink:
    """Writes one topic's events. Its place is kept in the table shardlog_faust_places of the same database.

    topic: from `events_topic`. engine: SQLAlchemy's, of a database with transactions. name: of this sink among all of
    that database. try_s: how long a batch is tried again while the database is locked or away.
    Raises what the database raises when its table is made, as ProjectionError.
    """

    def __init__(self, topic: faust.TopicT, engine: Engine, name: str, *, try_s: float = TRY_SECONDS) -> None:
        self._app = cast("PublishedApp", topic.app)
        self._engine = engine
        self._name = name
        self._topic = topic.get_topic_name()
        self._try_s = try_s
        self._places: dict[int, Place | None] = {}
        self._unwritten: set[int] = set()
        with mapped(f"making the table {PLACES.name}"):
            PLACES.create(engine, checkfirst=True)
        self._app.sinks.append(self)

    @property
    def topic_name(self) -> str:
        """What it reads."""
        return self._topic

    def begin(self, partitions: Sequence[int]) -> dict[int, Place | None]:
        """The places of these partitions, which are about to be read anew; None for one that has none yet."""
        with mapped(f"reading the places of sink {self._name!r}"), self._engine.connect() as connection:
            found = read_places(connection, self._name, self._topic)
        begun = {number: found.get(number) for number in partitions}
        self._places |= begun
        self._unwritten -= set(partitions)
        return begun

    def read_anew(self) -> None:
        """Let the topic be read from its beginning, by workers that start from now on. What was written stays, and is
        refused when it comes again: for a topic whose events were published anew."""
        own = (PLACES.c.sink == self._name) & (PLACES.c.topic == self._topic)
        with mapped(f"writing the places of sink {self._name!r}"), self._engine.begin() as connection:
            connection.execute(update(PLACES).where(own).values(record_offset=-1))

    async def consume(
        self,
        stream: faust.StreamT[Published],
        write: Write,
        *,
        records_max: int = RECORDS_MAX,
        within_s: float = WITHIN_SECONDS,
    ) -> None:
        """The whole work of an agent: take records, and write each batch in one transaction, in a thread of its own.

        write: is given only what is not written yet, and is called again where the database was away or locked. What it
        raises otherwise stops the worker: nothing is skipped. records_max, within_s: how large a batch may become, and
        how long it is waited for.
        """
        async for records in stream.take(records_max, within=within_s):
            partitions = _by_partition(records)
            try:
                self._refuse_gaps(partitions)
                self._unwritten |= partitions.keys()  # until it is written: who is cancelled here must begin anew
                await asyncio.to_thread(self._write, partitions, write)
                self._unwritten -= partitions.keys()
            except Exception as error:
                await self._app.crash(error)
                raise

    def _refuse_gaps(self, partitions: dict[int, list[Published]]) -> None:
        for number in partitions.keys() & self._unwritten:
            raise CheckpointMoved(
                f"sink {self._name!r}, topic {self._topic}, partition {number}: a batch before this one was not "
                "written. Start the worker again: it begins where rows end"
            )

    def _write(self, partitions: dict[int, list[Published]], write: Write) -> None:
        for attempt in stamina.retry_context(on=StoreUnavailable, attempts=None, timeout=self._try_s, wait_max=2.0):
            with attempt, mapped(f"writing sink {self._name!r}"), self._engine.begin() as connection:
                moved = [self._moved(connection, number, partitions[number]) for number in sorted(partitions)]
                fresh = [record for _, records in moved for record in records]
                if fresh:
                    write(connection, fresh)
        self._places |= {number: place for (number, place), _ in moved}

    def _moved(
        self, connection: Connection, number: int, records: list[Published]
    ) -> tuple[tuple[int, Place | None], list[Published]]:
        """Move one partition's place behind the records; returns it, and those that are not written yet."""
        partition = Partition(self._name, self._topic, number)
        place = lock_place(connection, partition)
        known = self._places.get(number)
        if known is not None and (place is None or _order(place.position) < _order(known.position)):
            raise CheckpointMoved(
                f"sink {self._name!r}, topic {self._topic}, partition {number}: rows end with "
                f"{place.position.token if place else 'nothing'}, and this worker had written to "
                f"{known.position.token}. The database was restored, or its tables were changed: start the worker again"
            )
        fresh: list[Published] = []
        last = place
        for record in records:
            if last is not None and record.position.journal != last.position.journal:
                raise Diverged(number, record.offset, self._of_another(record.position, last.position))
            if last is None or _order(record.position) > _order(last.position):
                fresh.append(record)
                last = Place(record.offset, record.position)
        if fresh and last is not None:
            move_place(connection, partition, place, last)
        return (number, last), fresh

    def _of_another(self, given: Position, held: Position) -> str:
        return (
            f"topic {self._topic} has events of journal {given.journal}, and the rows of sink {self._name!r} are of "
            f"journal {held.journal}: let another sink write them into tables of its own"
        )


def _order(position: Position) -> tuple[int, int]:
    """Within a shard, which is a partition, positions only grow."""
    return position.offset, position.index


def _by_partition(records: Sequence[Any]) -> dict[int, list[Published]]:
    found: dict[int, list[Published]] = {}
    for record in records:
        found.setdefault(record.partition, []).append(record)
    return found
