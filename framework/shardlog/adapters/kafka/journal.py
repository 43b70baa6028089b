"""The journal on Kafka: a topic with a partition a shard."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from functools import partial

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka.bounds import Bounds
from shardlog.adapters.kafka.clients import admin_config, consumer_config
from shardlog.adapters.kafka.errors import Faults, kafka_errors
from shardlog.adapters.kafka.incarnation import Incarnation
from shardlog.adapters.kafka.reading import OutOfRange, Tail, Tails
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.writer import KafkaWriter
from shardlog.errors import JournalError, JournalUnavailable, Truncated
from shardlog.ports.journal import Journal, Writer

CLOSE_DEADLINE_MS = 2_000


class KafkaJournal(Journal):
    """Shards numbered from 0 in the topic `NAME.journal`, which must be there. Making one asks nothing of the brokers.

    Offsets may have holes. A read or a question that the brokers do not answer in time raises JournalUnavailable. Where
    the topic is made again meanwhile, everything raises Diverged.
    """

    def __init__(self, settings: KafkaSettings, shards: int) -> None:
        self._settings = settings
        self._topic = settings.journal_topic
        self._shards = shards
        self._faults = Faults()
        self._tails = Tails(settings)
        self._incarnation = Incarnation(settings, self._topic)
        self._lock = threading.Lock()
        self._ends = [0] * shards
        self._earliest = [0] * shards
        self._asked_at = [-math.inf] * shards
        self._asked_ends = [0] * shards  # as a broker said when it was asked last
        self._writers: list[KafkaWriter] = []
        self._is_closed = False
        with kafka_errors(settings, "making a client"):
            self._consumer = Consumer(consumer_config(settings) | {"error_cb": self._faults.note})
            self._admin = AdminClient(admin_config(settings))
        self._asking = Bounds(self._consumer, self._topic, settings, self._faults)

    def writer(self, shard: int) -> Writer:
        self._check(shard)
        self._incarnation.ask(shard)  # before a claim: a journal that is made again would be claimed like any
        writer = KafkaWriter(self._settings, shard, partial(self._landed, shard))
        with self._lock:
            self._writers = [one for one in self._writers if not one.has_ended]
            self._writers.append(writer)
        return writer

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        self._check(shard)
        return self._read(shard, start)

    def offsets(self, shard: int) -> tuple[int, int]:
        """As the port says.

        A reader that waits at the end is told of news at once; while one does, a broker is asked once in
        `bounds_age_ms`, so that asking again and again costs nothing. What it is told is not believed where the log
        would have become shorter: a leader that has just begun answers a fetch before it knows how far its replicas
        are, while a question for the end waits until it does (KIP-207).
        """
        self._check(shard)
        if time.monotonic() - self._asked_at[shard] <= self._settings.bounds_age_ms / 1000:
            end = self._tails.end_of(shard)
            if end >= self._asked_ends[shard]:
                return self._earliest[shard], max(end, self._ends[shard])
        return self._bounds(shard)

    def truncate(self, shard: int, before: int) -> None:
        self._check(shard)
        earliest, end = self._bounds(shard)
        before = min(before, end)
        if before <= earliest:
            return
        timeout_s = self._settings.request_timeout_ms / 1000
        with kafka_errors(self._settings, f"truncating topic {self._topic}, shard {shard}, below offset {before}"):
            asked = self._admin.delete_records(
                [TopicPartition(self._topic, shard, before)], request_timeout=timeout_s, operation_timeout=timeout_s
            )
            for future in asked.values():
                future.result(timeout_s * 2)
        with self._lock:
            self._earliest[shard] = max(self._earliest[shard], before)

    def close(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            writers = list(self._writers)
        give_up = time.monotonic() + CLOSE_DEADLINE_MS / 1000
        for writer in writers:
            writer.abandon(max(int((give_up - time.monotonic()) * 1000), 0))
        self._tails.close()
        self._incarnation.close()
        threading.Thread(target=self._consumer.close, name="shardlog-kafka-close", daemon=True).start()

    # -- reading -------------------------------------------------------------------------------------------------------
    def _read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        tail, end = self._opened(shard, start)
        if tail is None:
            return
        try:
            while not tail.has_seen(end):
                record = tail.next()
                if record is None:
                    tail.wait(end)
                elif record[0] >= start:
                    yield record
        except OutOfRange:
            self._tails.drop(tail)
            tail = None
            self._out_of_range(shard, start, end)
        except GeneratorExit:
            raise  # whoever reads has enough, and goes on where the reader stands
        except BaseException:
            self._tails.drop(tail)
            tail = None
            raise
        finally:
            if tail is not None:
                self._tails.give_back(tail)

    def _opened(self, shard: int, start: int) -> tuple[Tail | None, int]:
        """A reader that stands at `start`, and the end to read to; no reader where there is nothing to read."""
        tail = self._tails.at(shard, start)
        if tail is None:
            earliest, end = self._bounds(shard)
            if start < earliest:
                raise Truncated(shard, start, earliest)
            return (self._tails.moved_to(shard, start) if start <= end else None), end
        try:
            return tail, self._end_of(tail, start)
        except BaseException:
            self._tails.drop(tail)
            raise

    def _end_of(self, tail: Tail, start: int) -> int:
        """The end as known now. A reader that stands there is told of what is new; it asks only now and then."""
        shard = tail.shard
        if start < self._earliest[shard]:
            raise Truncated(shard, start, self._earliest[shard])
        end = max(self._ends[shard], tail.end_known)
        now = time.monotonic()
        if end <= start and now - tail.checked_at > self._settings.bounds_age_ms / 1000:
            tail.checked_at = now
            earliest, end = self._bounds(shard)
            if start < earliest:
                raise Truncated(shard, start, earliest)
        return end

    def _out_of_range(self, shard: int, start: int, end: int) -> None:
        earliest, now = self._bounds(shard)
        if start < earliest:
            raise Truncated(shard, start, earliest)
        if now < end:
            raise JournalUnavailable(
                f"topic {self._topic}, shard {shard}: the log ended at {end} and now ends at {now}: records are gone; "
                "look for an unclean election, or a topic that was made anew"
            )

    # -- questions -----------------------------------------------------------------------------------------------------
    def _bounds(self, shard: int) -> tuple[int, int]:
        """Earliest and next, as a broker says now, and at least what was reported here."""
        asked_at = time.monotonic()
        earliest, end = self._asking.ask(shard)
        with self._lock:
            self._asked_at[shard] = asked_at
            self._asked_ends[shard] = end
            self._earliest[shard] = max(self._earliest[shard], earliest)
            return self._earliest[shard], max(end, self._ends[shard])

    def _landed(self, shard: int, offset: int) -> None:
        """What was reported here is read here, whatever a fetch said before."""
        with self._lock:
            if offset >= self._ends[shard]:
                self._ends[shard] = offset + 1

    def _check(self, shard: int) -> None:
        if self._is_closed:
            raise JournalError(f"topic {self._topic}: the journal is closed: open it again")
        if not 0 <= shard < self._shards:
            raise ValueError(f"shard {shard} is not one of {self._shards}: shards are numbered from 0")
        self._incarnation.check(shard)
