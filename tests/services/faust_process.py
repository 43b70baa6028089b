"""A faust worker with a sink as a process, to be killed: it says each batch that is written.

`python -m tests.services.faust_process BOOTSTRAP JOURNAL DATADIR`, and the database in DATABASE.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import faust
from sqlalchemy import Column, Connection, MetaData, String, Table, create_engine, text
from sqlalchemy.types import BigInteger

from domain.banking.messages import Deposited, Withdrawn
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.faust import Published, SqlSink, events_topic, published_app
from tests.services.bank_process import application

SUMS = Table(
    "sums",
    MetaData(),
    Column("id", String(100), primary_key=True),
    Column("events", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)
ADD = text(
    "INSERT INTO sums (id, events, amount, version) VALUES (:id, 1, :amount, :version) ON CONFLICT (id) DO UPDATE "
    "SET events = sums.events + 1, amount = sums.amount + excluded.amount, version = excluded.version"
)
BATCH_RECORDS_MAX = 40
"""Small transactions: a kill finds one under way."""


def add(connection: Connection, records: Sequence[Published]) -> None:
    """What each stream's events come to, and the version that was last seen of it."""
    for record in records:
        for event in record.events:
            amount = (
                event.amount if isinstance(event, Deposited) else -event.amount if isinstance(event, Withdrawn) else 0
            )
            given = {"id": record.recorded.id, "amount": amount, "version": record.recorded.version}
            connection.execute(ADD, given)


def main(bootstrap: str, name: str, datadir: str) -> None:
    engine = create_engine(os.environ["DATABASE"])
    SUMS.create(engine, checkfirst=True)
    settings = KafkaSettings(bootstrap_servers=bootstrap, journal=name)
    app = published_app(
        f"{name}-sums", settings, datadir=datadir, broker_session_timeout=6.0, broker_heartbeat_interval=1.0
    )
    topic = events_topic(app, "account", application)
    sink = SqlSink(topic, engine, "sums")

    def write(connection: Connection, records: Sequence[Published]) -> None:
        add(connection, records)
        print(len(records), flush=True)

    @app.agent(topic)
    async def keep(stream: faust.StreamT[Published]) -> None:
        await sink.consume(stream, write, records_max=BATCH_RECORDS_MAX, within_s=0.05)

    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
