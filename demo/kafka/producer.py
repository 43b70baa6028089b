"""`python -m demo.kafka.producer SETTINGS MONTHS`: sends the commands of flights and banking to their topic, and ends.

It knows nothing of shards: a command's key is its stream's id, or the ledger of an account, and the client library
finds the partition as every Kafka client can. Order within a key is kept, and the producer is idempotent, so that no
failure doubles a command.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from demo.application import SHARDS
from demo.feed import FlightsFeed
from demo.kafka.banking import Banking, banking_commands
from shardlog.adapters.kafka.clients import commands_producer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.wiring.settings import load_settings

TURN_RECORDS = 1_000
QUEUE_RECORDS_MAX = 100_000
FLUSH_SECONDS = 120.0
_STREAM_ID = 3
"""Where the stream's id stands in a record that is parted at its quotation marks."""


class Sending:
    """One producer, and the first command that was not taken."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.commands_topic
        self._failed: KafkaError | None = None
        self._producer = Producer(
            commands_producer_config(settings)
            | {"queue.buffering.max.messages": QUEUE_RECORDS_MAX, "on_delivery": self._delivered}
            | {"delivery.report.only.error": True}
        )

    def send(self, record: bytes, key: str | bytes) -> None:
        """Hand it to the client library; waits where that holds enough. Raises RuntimeError."""
        while True:
            try:
                self._producer.produce(self._topic, record, key)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def check(self) -> None:
        """Hear what came of those before. Raises RuntimeError where one was not taken."""
        self._producer.poll(0)
        if self._failed is not None:
            raise RuntimeError(f"topic {self._topic}: a command was not taken: {self._failed.str()}")

    def end(self) -> None:
        """Wait until all are taken. Raises RuntimeError."""
        give_up = time.monotonic() + FLUSH_SECONDS
        while left := self._producer.flush(1.0):
            self.check()
            if time.monotonic() > give_up:
                raise RuntimeError(f"topic {self._topic}: {left} commands were not taken within {FLUSH_SECONDS:.0f} s")
        self.check()

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failed = self._failed or error


def send_all(feed: FlightsFeed, banking: Banking, settings: KafkaSettings) -> None:
    """Send every command: banking's, then the flights', some of one shard after some of the next.

    Raises RuntimeError.
    """
    sending = Sending(settings)
    for key, record in banking.records:
        sending.send(record, key)
    longest = max(feed.total(shard) for shard in range(SHARDS))
    for start in range(0, longest, TURN_RECORDS):
        for shard in range(SHARDS):
            for record in feed.read(shard, start, TURN_RECORDS):
                sending.send(record, record.split(b'"', _STREAM_ID + 1)[_STREAM_ID])
        sending.check()
    sending.end()


def main() -> int:
    """Send, and say how many."""
    path, months = sys.argv[1:]
    feed = FlightsFeed(int(months), SHARDS)
    banking = banking_commands()
    send_all(feed, banking, load_settings(Path(path)).kafka)
    print(f"{feed.total() + len(banking.records)} commands sent")
    return 0


if __name__ == "__main__":
    sys.exit(main())
