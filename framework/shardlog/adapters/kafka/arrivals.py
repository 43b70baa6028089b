"""The records of a commands topic, by shard, in order from the offsets asked for, without ever waiting for them.

One consumer brings those of all shards of a process: each one costs threads and connections, and wakes up hundreds of
times a second while a broker is away. Whoever reads a shard takes what has come in from the client library's own
store, for all shards. When there is nothing, a thread waits in its place and gives notice; so it costs a switch of
threads at the edge of idleness only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from shardlog.adapters.kafka.arriving import Arriving
from shardlog.adapters.kafka.clients import commands_config
from shardlog.adapters.kafka.command_form import ReadAvro, command_of, is_framed
from shardlog.adapters.kafka.decoding import Decoding
from shardlog.adapters.kafka.errors import Faults, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError

WATCH_SECONDS = 0.1
"""How long the thread waits at a time. A client takes one call at a time, so what it is to be told waits meanwhile."""
ENDS_SECONDS = 0.5
"""How often it is noted where shards end, for figures."""
LEFT_SECONDS = 0.1
"""A shard that was not read for so long, and has enough, does not hold up the others."""
_NOT_THERE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class Arrivals:
    """One consumer of one topic, assigned by offset. Its methods may be called from any thread.

    arrived: called when records come in after `take` found none. out_of_range: from shard and an offset that is not
    there to the offset to go on from; it may ask the brokers, in a thread of its own, and raises what is to be said.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        read_avro: ReadAvro | None,
        arrived: Callable[[], None],
        out_of_range: Callable[[int, int], int],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._read_avro = read_avro
        self._arrived = arrived
        self._out_of_range = out_of_range
        self._faults = Faults()
        self._lock = threading.Lock()
        self._shards: dict[int, Arriving] = {}
        self._decoding: dict[int, Decoding] = {}
        self._due: list[Arriving] = []
        self._ends: dict[int, int] = {}
        self._noted_at = 0.0
        self._is_watched = False
        self._is_news = False
        self._watch = threading.Event()
        self._is_closed = False
        with kafka_errors(settings, f"reading topic {topic}"):
            self._consumer = Consumer(commands_config(settings) | {"error_cb": self._faults.note})
        threading.Thread(target=self._run, name=f"shardlog-arrivals-{topic}", daemon=True).start()

    def take(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Up to `limit` records from `start` that are at hand; they are kept until a later start is asked for.

        Raises what stands in the way of this shard, and begins anew at the next call.
        """
        with self._lock:
            arriving = self._shards.get(shard) or self._opened(shard)
            if arriving.start < 0 or not arriving.start <= start <= arriving.next:
                self._move(arriving, start)
            arriving.pass_to(start)
            arriving.taken_at = monotonic()
            arriving.is_wanting = False
            lacking = limit - arriving.records
            if lacking > 0:
                if not arriving.is_coming and arriving.error is None and not arriving.is_settling:
                    self._assign(arriving)
                if not self._is_watched:
                    self._tell_due()
                    self._fill(arriving, lacking)
            found = arriving.first(limit)
            arriving.is_wanting = not found
            is_news, self._is_news = self._is_news, False
            error = None if found else arriving.error
            if error is not None:
                arriving.begin(-1)
        if is_news:
            self._arrived()
        if error is not None:
            raise error
        return found

    def end(self, shard: int) -> int | None:
        """The shard's end as a fetch said of late; None where none has said it."""
        return self._ends.get(shard)

    def release(self, shard: int) -> None:
        """Bring no more of this shard, until it is asked for again."""
        with self._lock:
            arriving = self._shards.pop(shard, None)
            self._ends.pop(shard, None)
            if arriving is not None:
                self._unassign(arriving)
                arriving.is_released = True
                arriving.begin(-1)
            decoding = self._decoding.pop(shard, None)
        if decoding is not None:
            decoding.wake()

    def close(self) -> None:
        """Free it, in the background: with brokers gone it may take its time."""
        for shard in list(self._shards):
            self.release(shard)
        self._is_closed = True
        self._watch.set()

    # -- with the lock: one shard --------------------------------------------------------------------------------------
    def _opened(self, shard: int) -> Arriving:
        if self._is_closed:
            raise ConfigurationError(f"input {self._topic} was closed: make another")
        arriving = self._shards[shard] = Arriving(shard, self._settings.commands_prefetch_bytes_max)
        return arriving

    def _move(self, arriving: Arriving, start: int) -> None:
        """Go on from there."""
        self._unassign(arriving)
        arriving.begin(start)
        self._assign(arriving)

    def _assign(self, arriving: Arriving) -> None:
        """Let its records come, from the next."""
        arriving.is_wanted = True
        self._tell(arriving)

    def _unassign(self, arriving: Arriving) -> None:
        """Let no more of them come."""
        arriving.is_wanted = False
        if arriving.is_assigned:
            self._tell(arriving)

    def _tell(self, arriving: Arriving) -> None:
        """Tell the client library what is wanted of this shard: now, or once the thread does not wait in it."""
        if not arriving.is_due:
            arriving.is_due = True
            self._due.append(arriving)
        if not self._is_watched:
            self._tell_due()

    def _tell_due(self) -> None:
        while self._due:
            arriving = self._due.pop(0)
            arriving.is_due = False
            with kafka_errors(self._settings, self._doing(arriving)):
                if arriving.is_assigned:
                    arriving.is_assigned = False
                    self._consumer.incremental_unassign([TopicPartition(self._topic, arriving.shard)])
                if arriving.is_wanted:
                    self._consumer.incremental_assign([TopicPartition(self._topic, arriving.shard, arriving.next)])
                    arriving.is_assigned = True

    def _stop(self, arriving: Arriving, error: Exception) -> None:
        """Nothing more comes until this was raised."""
        self._unassign(arriving)
        arriving.stop(error)
        self._is_news = True

    # -- with the lock: what came --------------------------------------------------------------------------------------
    def _fill(self, arriving: Arriving, lacking: int) -> None:
        """Take over what the client library holds ready, until there is something of this shard, or no more at all.

        Where another has enough, and is read, it is its turn first.
        """
        while True:
            now = monotonic()
            if any(one.is_rich and now - one.taken_at < LEFT_SECONDS for one in self._shards.values()):
                return
            with kafka_errors(self._settings, f"reading topic {self._topic}"):
                messages = self._consumer.consume(lacking, 0)
            for message in messages:
                self._sort(message)
            if now - self._noted_at > ENDS_SECONDS:
                self._note_ends(now)
            if arriving.held or arriving.error is not None:
                return
            if not messages:
                self._is_watched = True
                self._watch.set()
                return

    def _sort(self, message: Message) -> None:
        """A record, or an error, to whom it belongs."""
        error = message.error()
        arriving = self._shards.get(message.partition())  # type: ignore[arg-type]  # None is of no shard
        if arriving is None or not arriving.is_assigned or arriving.is_due:
            if error is not None and not _passes(error) and message.partition() is None:
                self._stop_all(error)
            return
        if arriving.is_wanting:
            arriving.is_wanting = False
            self._is_news = True
        if error is not None:
            self._hear(arriving, error)
            return
        offset = message.offset()
        assert offset is not None  # a record that was read has one
        value = message.value()
        if arriving.undecoded or (self._read_avro is not None and is_framed(value)):
            arriving.put_off(offset, message, len(value or b""))
            self._decoder(arriving).wake()
        else:
            arriving.hold(offset, command_of(message, self._read_avro))
        if arriving.is_full:
            self._unassign(arriving)

    def _note_ends(self, now: float) -> None:
        self._noted_at = now
        for shard, arriving in self._shards.items():
            if arriving.is_assigned:
                with kafka_errors(self._settings, self._doing(arriving)):
                    bounds = self._consumer.get_watermark_offsets(TopicPartition(self._topic, shard), cached=True)
                if bounds is not None and bounds[1] >= 0:
                    self._ends[shard] = bounds[1]

    def _hear(self, arriving: Arriving, error: KafkaError) -> None:
        if error.code() in _NOT_THERE:
            self._unassign(arriving)
            arriving.is_settling = True
            threading.Thread(
                target=self._settle, args=(arriving, arriving.move, arriving.next), name="shardlog-gap", daemon=True
            ).start()
        elif not _passes(error):
            doing = f"{self._doing(arriving)} from offset {arriving.next}"
            self._stop(arriving, our_error(error, self._settings, doing, self._faults))

    def _stop_all(self, error: KafkaError) -> None:
        for arriving in self._shards.values():
            self._stop(arriving, our_error(error, self._settings, self._doing(arriving), self._faults))

    def _decoder(self, arriving: Arriving) -> Decoding:
        found = self._decoding.get(arriving.shard)
        if found is None:
            found = Decoding(
                arriving, self._lock, partial(command_of, read_avro=self._read_avro), self._stop, self._arrived
            )
            self._decoding[arriving.shard] = found
        return found

    # -- threads -------------------------------------------------------------------------------------------------------
    def _settle(self, arriving: Arriving, move: int, start: int) -> None:
        """An offset is not there: find out where to go on, which may take its time."""
        error: Exception | None = None
        try:
            start = self._out_of_range(arriving.shard, start)
        except Exception as raised:  # noqa: BLE001  # whatever it is, whoever reads hears of it, and asks again
            error = raised
        with self._lock:
            if arriving.move != move or arriving.is_released:
                return
            arriving.is_settling = False
            arriving.error = error
            if error is None:
                arriving.next = start
                self._assign(arriving)
        self._arrived()

    def _run(self) -> None:
        while True:
            self._watch.wait()
            if self._is_closed:
                break
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  # whatever it is, readers hear of it, and ask again
                with self._lock:
                    for arriving in self._shards.values():
                        self._stop(arriving, error)
                    self._is_news = False
                    self._hand_over()
                self._arrived()
        self._consumer.close()

    def _look(self) -> None:
        """Wait for a record; then whoever reads takes over."""
        with kafka_errors(self._settings, f"reading topic {self._topic}"):
            message = self._consumer.poll(WATCH_SECONDS)
        with self._lock:
            if message is not None:
                self._sort(message)
            elif self._faults.refusal is not None:
                self._stop_all(self._faults.refusal)
                self._faults.succeeded()  # said once; where it goes on, it is reported again
            self._tell_due()
            now = monotonic()
            if now - self._noted_at > ENDS_SECONDS:
                self._note_ends(now)
            if message is None and not self._is_news:
                return
            self._is_news = False
            self._hand_over()
        self._arrived()

    def _hand_over(self) -> None:
        self._is_watched = False
        if not self._is_closed:
            self._watch.clear()

    def _doing(self, arriving: Arriving) -> str:
        return f"reading topic {self._topic}, shard {arriving.shard}"


_PASSING = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE})


def _passes(error: KafkaError) -> bool:
    """Whether the client library gets over it by itself."""
    return error.retriable() or error.code() in _PASSING
