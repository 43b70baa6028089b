"""How far a sink's rows are: one row a partition, written in the transaction of the rows themselves."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from shardlog.errors import StoreUnavailable
from shardlog.model.recorded import Position

PLACES = Table(
    "shardlog_faust_places",
    MetaData(),
    Column("sink", String(200), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("record_offset", BigInteger, nullable=False, comment="of the last record that rows are of"),
    Column("event_id", String(200), nullable=False, comment="the last event that rows are of: its position"),
)


class Place(NamedTuple):
    """The last record that rows are of. offset: in the topic; -1 where the topic is to be read from its beginning."""

    offset: int
    position: Position


class Partition(NamedTuple):
    """Whose place it is."""

    sink: str
    topic: str
    partition: int


def read_places(connection: Connection, sink: str, topic: str) -> dict[int, Place]:
    """All of a topic."""
    columns = PLACES.c
    where = and_(columns.sink == sink, columns.topic == topic)
    found = connection.execute(select(columns.partition, columns.record_offset, columns.event_id).where(where))
    return {row.partition: Place(row.record_offset, Position.parse(row.event_id)) for row in found}


def lock_place(connection: Connection, partition: Partition) -> Place | None:
    """The place, which nobody else changes until this transaction ends; None where there is none yet."""
    columns = PLACES.c
    own = _own(partition)
    held = connection.execute(update(PLACES).where(own).values(record_offset=columns.record_offset))
    if not held.rowcount:
        return None
    row = connection.execute(select(columns.record_offset, columns.event_id).where(own)).one()
    return Place(row.record_offset, Position.parse(row.event_id))


def move_place(connection: Connection, partition: Partition, old: Place | None, new: Place) -> None:
    """From the place that is locked. Raises StoreUnavailable where another worker wrote the first one meanwhile."""
    values = {"record_offset": new.offset, "event_id": new.position.token}
    if old is not None:
        connection.execute(update(PLACES).where(_own(partition)).values(values))
        return
    try:
        connection.execute(insert(PLACES).values(**partition._asdict(), **values))
    except IntegrityError as error:
        raise StoreUnavailable(
            f"sink {partition.sink!r}: another worker began {partition.topic} partition {partition.partition} at the "
            "same time. Nothing was written; the same may work later."
        ) from error


def _own(partition: Partition) -> ColumnElement[bool]:
    columns = PLACES.c
    return and_(
        columns.sink == partition.sink, columns.topic == partition.topic, columns.partition == partition.partition
    )
