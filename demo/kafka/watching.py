"""How far a run is, asked of the brokers and of the tables: sent, settled in frames, in the tables, published."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from rich.progress import Progress

from demo.chain import checkpoints_of
from demo.feed import FlightsFeed
from demo.log import Log
from projections.flights import flights as tables
from shardlog.adapters.kafka.checkpoints import read_checkpoints
from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.codec.json import NOT_DECODED
from shardlog.errors import JournalUnavailable
from shardlog.journal.envelope import body_of
from shardlog.journal.records import decode_raw_frame

LOOK_SECONDS = 0.5
ASK_SECONDS = 10.0


class Watch:
    """Looks at one run. database: the SQLite file with the tables. To be closed."""

    def __init__(self, settings: KafkaSettings, log: Log, database: Path) -> None:
        self._settings = settings
        self._log = log
        self._database = database
        self._settled = [0] * log.shards
        self._read = [0] * log.shards
        self._published: dict[int, int] = {}
        self._asking = Consumer(consumer_config(settings))

    def sent(self) -> int:
        """How many commands are in the commands topic."""
        return sum(self._end(shard) for shard in range(self._log.shards))

    def settled(self) -> int:
        """How many of them the frames say to be settled: each shard's newest record names its first that is not."""
        for shard in range(self._log.shards):
            newest = b""
            for offset, value in self._log.journal.read(shard, self._read[shard]):
                newest, self._read[shard] = value, offset + 1
            self._settled[shard] = max(self._settled[shard], self._settled_by(newest))
        return sum(self._settled)

    def frames(self) -> int:
        """How many records the journal had when `settled` was asked last."""
        return sum(self._read)

    def in_tables(self) -> int:
        """How many of them the tables have."""
        return sum(held.next for held in checkpoints_of(self._database, tables).values())

    def published(self) -> int:
        """How many of them the relay has published; while one of its transactions is open, as it was before."""
        try:
            self._published = {
                shard: held.next for shard, held in read_checkpoints(self._settings, "outputs").by_shard.items()
            }
        except JournalUnavailable:
            return sum(self._published.values())  # it is asked again, for as long as the relay lives
        return sum(self._published.values())

    def close(self) -> None:
        """Let go of its client."""
        self._asking.close()

    def _end(self, shard: int) -> int:
        bounds = self._asking.get_watermark_offsets(
            TopicPartition(self._settings.commands_topic, shard), timeout=ASK_SECONDS
        )
        if bounds is None:
            raise JournalUnavailable(f"Kafka at {self._settings.listener} does not say where the commands topic ends")
        return bounds[1]

    def _settled_by(self, value: bytes) -> int:
        if not value:
            return 0
        try:
            inputs = decode_raw_frame(body_of(value)).inputs
        except NOT_DECODED:
            return 0  # a claim
        name = f"kafka:{self._settings.commands_topic}:"
        return max((offset for input, offset in inputs.items() if input.startswith(name)), default=0)


def wait_until_done(watch: Watch, feed: FlightsFeed, check: Callable[[], None], progress: Progress) -> None:
    """Draw the bars until all commands are settled, in the tables, and published. check: raises where a process ended
    that should not have."""
    total, began = feed.total(), time.monotonic()
    sent, commands = (progress.add_task(name, total=total, detail="") for name in ("sent", "commands"))
    frames, published = (progress.add_task(name, total=None, detail="") for name in ("frames", "published"))
    while True:
        check()
        settled, records = watch.settled(), watch.frames()
        in_tables, out = watch.in_tables(), watch.published()
        rate = settled / (time.monotonic() - began)
        progress.update(sent, completed=watch.sent(), detail="in the commands topic")
        progress.update(commands, completed=settled, detail=f"{rate:,.0f}/s")
        progress.update(
            frames, total=records, completed=in_tables, detail=f"in the tables, {records - in_tables:,} behind"
        )
        progress.update(published, total=records, completed=out, detail=f"by the relay, {records - out:,} behind")
        if settled == total and in_tables == out == records:
            return
        time.sleep(LOOK_SECONDS)
