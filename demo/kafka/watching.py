"""How far a run is, asked of the brokers and of the tables: sent, executed in frames, in the tables, published."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition
from rich.progress import Progress

from demo.chain import checkpoints_of, entries_of
from demo.kafka.application import application
from demo.log import Log
from shardlog.adapters.kafka.checkpoints import read_checkpoints
from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalUnavailable
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.wiring.stores import ProjectionDatabase

LOOK_SECONDS = 0.5
ASK_SECONDS = 10.0


class Watch:
    """Looks at one run. database: of the tables. To be closed."""

    def __init__(self, settings: KafkaSettings, log: Log, database: ProjectionDatabase) -> None:
        self._settings = settings
        self._log = log
        self._database = database
        self._entries = 0
        self._readers = [Reader(log.id, shard, log.shards) for shard in range(log.shards)]
        self._published: dict[int, int] = {}
        self._asking = Consumer(consumer_config(settings))

    def sent(self) -> int:
        """How many commands are in the commands topic."""
        return sum(self._end(shard) for shard in range(self._log.shards))

    def executed(self) -> int:
        """How many commands the frames hold, with those that process managers sent."""
        for reader in self._readers:
            for offset, value in self._log.journal.read(reader.shard, reader.position):
                verdict = reader.pass_over(offset, value)
                if isinstance(verdict, FrameTaken):
                    self._entries += entries_of(verdict.body)
        return self._entries

    def records(self) -> int:
        """How many records the journal had when `executed` was asked last."""
        return sum(reader.position for reader in self._readers)

    def in_tables(self) -> int:
        """How many of them the slowest projection has."""
        found = (checkpoints_of(self._database, projection) for projection in application.projections.values())
        return min(sum(held.next for held in checkpoints.values()) for checkpoints in found)

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


def wait_until_done(watch: Watch, sent: int, entries: int, check: Callable[[], None], progress: Progress) -> None:
    """Draw the bars until all is in frames, in the tables, and published.

    sent: commands of the producer. entries: with those of process managers. check: raises where a process ended that
    should not have.
    """
    began = time.monotonic()
    sending = progress.add_task("sent", total=sent, detail="")
    commands = progress.add_task("commands", total=entries, detail="")
    frames, published = (progress.add_task(name, total=None, detail="") for name in ("frames", "published"))
    while True:
        check()
        executed, records = watch.executed(), watch.records()
        in_tables, out = watch.in_tables(), watch.published()
        rate = executed / (time.monotonic() - began)
        progress.update(sending, completed=watch.sent(), detail="in the commands topic")
        progress.update(commands, completed=executed, detail=f"{rate:,.0f}/s")
        progress.update(
            frames, total=records, completed=in_tables, detail=f"in the tables, {records - in_tables:,} behind"
        )
        progress.update(published, total=records, completed=out, detail=f"by the relay, {records - out:,} behind")
        if executed == entries and in_tables == out == records:
            return
        time.sleep(LOOK_SECONDS)
