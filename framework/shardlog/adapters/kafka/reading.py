"""Readers of shards: consumers that stay open where their last reading ended, so that reading on costs no seek."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, TopicPartition

from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import Corrupt

BATCH_RECORDS = 256
POLL_SECONDS = 0.1
TIDY_SECONDS = 2.0
IDLE_SECONDS = 30.0
"""After how long without use a reader is closed: what it holds ready is memory, and fetching it is work."""


class OutOfRange(Exception):
    """The position is below the earliest offset or beyond the end. Does not leave this adapter."""


class Tail:
    """One consumer of one shard. Used by one thread at a time.

    position: the offset of the next record that `take` gives, or of a later one where there is a hole.
    """

    def __init__(self, settings: KafkaSettings, shard: int, start: int) -> None:
        self.topic = settings.journal_topic
        self.shard = shard
        self.checked_at = time.monotonic()
        self.used_at = self.checked_at
        self._settings = settings
        self._partition = TopicPartition(settings.journal_topic, shard)
        self._faults = Faults()
        with kafka_errors(settings, self._doing):
            self._consumer = Consumer(consumer_config(settings) | {"error_cb": self._faults.note})
        self.position = start
        self._held: deque[tuple[int, bytes]] = deque()
        self._end_seen = -1
        self._error: KafkaError | None = None
        self.seek(start)

    def seek(self, start: int) -> None:
        """Go on from this offset."""
        self._held.clear()
        self._end_seen = -1
        self._error = None
        self.position = start
        with kafka_errors(self._settings, self._doing):
            self._consumer.assign([TopicPartition(self._settings.journal_topic, self.shard, start)])

    @property
    def end_known(self) -> int:
        """The log's end as the last fetch said; -1 before the first."""
        with kafka_errors(self._settings, self._doing):
            bounds = self._consumer.get_watermark_offsets(self._partition, cached=True)
        return -1 if bounds is None else max(bounds[1], -1)

    @property
    def is_waiting(self) -> bool:
        """Whether it has given all that it was told of, so that the broker tells it of news at once."""
        return not self._held and 0 <= self.end_known <= max(self.position, self._end_seen)

    def has_seen(self, end: int) -> bool:
        """Whether all below this offset was given; behind the last record there may be offsets without one."""
        return self.position >= end or (self._end_seen >= end and not self._held)

    def next(self) -> tuple[int, bytes] | None:
        """The next record if it is at hand, without waiting. Raises as `wait` does."""
        if not self._held:
            self._fill(0.0)
        if not self._held:
            return None
        record = self._held.popleft()
        self.position = record[0] + 1
        return record

    def wait(self, end: int) -> None:
        """Wait until there is a record, or all below `end` was seen.

        Raises JournalUnavailable where nothing comes for `read_timeout_ms`, ConfigurationError, Corrupt and OutOfRange.
        """
        give_up = time.monotonic() + self._settings.read_timeout_ms / 1000
        while not self._held and not self.has_seen(end):
            self._fill(POLL_SECONDS)
            if not self._held and not self.has_seen(end) and time.monotonic() > give_up:
                raise our_error(
                    KafkaError(KafkaError._TIMED_OUT, f"nothing came for {self._settings.read_timeout_ms} ms"),
                    self._settings,
                    f"{self._doing} from offset {self.position}",
                    self._faults,
                )

    def close(self) -> None:
        """Free it; with brokers gone it may take its time."""
        with suppress(*FOREIGN_ERRORS):
            self._consumer.close()

    def _fill(self, timeout_s: float) -> None:
        """Take over what was fetched.

        One is polled first: `consume` with a time-out waits for all that it may give, or for the time-out.
        """
        if self._error is not None:
            kept, self._error = self._error, None
            self._raise(kept)
        with kafka_errors(self._settings, self._doing):
            first = self._consumer.poll(timeout_s)
            if first is None:
                return
            messages = [first, *self._consumer.consume(BATCH_RECORDS - 1, 0)]
        for message in messages:
            error = message.error()
            offset = message.offset()
            if error is None:
                assert offset is not None
                self._held.append((offset, message.value() or b""))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._end_seen = -1 if offset is None else offset
            elif not _passes(error):  # an error that passes stands between records that were fetched, too
                self._error = error
                break
        if self._held:
            self._faults.succeeded()
        if self._error is not None and not self._held:  # else what came before it is given first
            self._fill(0.0)

    def _raise(self, error: KafkaError) -> None:
        """Records behind it may be lost to this reader, which is of no use any more."""
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise OutOfRange
        if error.code() == KafkaError._BAD_MSG:
            raise Corrupt(self.shard, self.position, f"the broker's record fails its checksum ({error.str()})")
        raise our_error(error, self._settings, f"{self._doing} from offset {self.position}", self._faults)

    @property
    def _doing(self) -> str:
        return f"reading topic {self._settings.journal_topic}, shard {self.shard}"


_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._UNKNOWN_PARTITION,  # also said of a topic that is there, by a client whose connections were lost
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.UNKNOWN_TOPIC_OR_PART,  # and by a broker that has begun a moment ago
    }
)
"""What librdkafka gets over by itself, or what the time-out of the reading is for."""


def _passes(error: KafkaError) -> bool:
    return error.retriable() or error.code() in _PASSING


class Tails:
    """Readers of all shards that are not in use now. From any thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: defaultdict[int, list[Tail]] = defaultdict(list)
        self._returned: deque[Tail] = deque()
        self._dropped: deque[Tail] = deque()
        self._is_closed = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def at(self, shard: int, start: int) -> Tail | None:
        """The reader that stands at this offset, if there is one."""
        with self._lock:
            self._tidy()
            idle = self._idle[shard]
            for place, tail in enumerate(idle):
                if tail.position == start:
                    return idle.pop(place)
        return None

    def end_of(self, shard: int) -> int:
        """The shard's end as a reader is told that waits there for news; -1 where none does."""
        with self._lock:
            self._tidy()
            ends = [tail.end_known for tail in self._idle[shard] if tail.is_waiting]
        return max(ends, default=-1)

    def moved_to(self, shard: int, start: int) -> Tail:
        """A reader made to stand there: a new one, or the one that was left alone for longest."""
        with self._lock:
            self._tidy()
            idle = self._idle[shard]
            tail = idle.pop(0) if len(idle) >= self._settings.readers_max else None
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._tidy_up, name="shardlog-kafka-tidy", daemon=True)
                self._thread.start()
        if tail is None:
            return Tail(self._settings, shard, start)
        tail.seek(start)
        return tail

    def give_back(self, tail: Tail) -> None:
        """It is not in use any more. No lock and no thread: this runs where a reading is collected as garbage, too."""
        tail.used_at = time.monotonic()
        self._returned.append(tail)

    def drop(self, tail: Tail) -> None:
        """It is of no use any more."""
        self._dropped.append(tail)

    def close(self) -> None:
        """Free all of them. One that is in use is freed when its reading is forgotten."""
        with self._lock:
            self._is_closed = True
            self._tidy(is_due=True)
        self._closing.set()

    def _tidy_up(self) -> None:
        """A thread, since nobody may read any more: readers that a recovery leaves fill up beside a served shard."""
        while not self._closing.wait(TIDY_SECONDS):
            with self._lock:
                self._tidy(is_due=True)

    def _tidy(self, is_due: bool = False) -> None:
        """Sort in what was given back; close what is too much, too old or of no use, in the background."""
        if not self._returned and not self._dropped and not self._is_closed and not is_due:
            return
        while self._returned:
            tail = self._returned.popleft()
            self._idle[tail.shard].append(tail)
        closing = [self._dropped.popleft() for _ in range(len(self._dropped))]
        oldest = math.inf if self._is_closed else time.monotonic() - IDLE_SECONDS
        for tails in self._idle.values():
            beyond = len(tails) - self._settings.readers_max
            old = [tail for place, tail in enumerate(tails) if place < beyond or tail.used_at < oldest]
            tails[:] = [tail for tail in tails if tail not in old]
            closing += old
        if closing:
            threading.Thread(target=_close, args=(closing,), name="shardlog-kafka-close", daemon=True).start()


def _close(tails: list[Tail]) -> None:
    for tail in tails:
        tail.close()
