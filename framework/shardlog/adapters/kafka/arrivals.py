"""The records of one shard of a commands topic, in order from the offset asked for, without ever waiting for them.

While there are records, whoever reads takes them from the client library's own store. When there are none, a thread
waits in its place and gives notice; so it costs a switch of threads at the edge of an idle shard only.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from shardlog.adapters.kafka.clients import commands_config
from shardlog.adapters.kafka.command_form import ReadAvro, command_form
from shardlog.adapters.kafka.errors import Faults, kafka_errors, our_error
from shardlog.adapters.kafka.headers import read_headers
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ShardlogError
from shardlog.ports.inputs import UnreadableRecord

WATCH_SECONDS = 0.2
"""How long the thread waits at a time; a reader that goes elsewhere meanwhile is followed after it at the latest."""
_NOT_THERE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class Arrivals:
    """One consumer of one shard, assigned by offset. `take` may be called from any thread.

    arrived: called when records come in after `take` found none. out_of_range: from shard and an offset that is not
    there to the offset to go on from; it may ask the brokers, and raises what is to be said.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        shard: int,
        read_avro: ReadAvro | None,
        arrived: Callable[[], None],
        out_of_range: Callable[[int, int], int],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._shard = shard
        self._read_avro = read_avro
        self._arrived = arrived
        self._out_of_range = out_of_range
        self._faults = Faults()
        self._lock = threading.Lock()
        self._held: deque[tuple[int, bytes]] = deque()
        self._from = self._next = -1
        self._seek_to: int | None = None
        self._is_watched = False
        self._watch = threading.Event()
        self._error: Exception | None = None
        self._is_closed = False
        with kafka_errors(settings, self._doing):
            self._consumer = Consumer(commands_config(settings) | {"error_cb": self._faults.note})
        self._thread = threading.Thread(target=self._run, name=f"shardlog-commands-{shard}", daemon=True)
        self._thread.start()

    def take(self, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Up to `limit` records from `start` that are at hand; they are kept until a later start is asked for.

        Raises what stands in the way, and begins anew at the next call.
        """
        with self._lock:
            if not self._from <= start <= self._next:
                self._move(start)
            held = self._held
            while held and held[0][0] < start:
                held.popleft()
            self._from = start
            if len(held) < limit and not self._is_watched and self._error is None:
                self._fill(self._consume(limit - len(held)), may_ask=False)
                self._seek()
            if held:
                return list(islice(held, limit))
            if self._error is not None:
                error, self._error = self._error, None
                self._from = self._next = -1
                raise error
            if not self._is_watched:
                self._is_watched = True
                self._watch.set()
            return ()

    def close(self) -> None:
        """Free it, in the background: with brokers gone it may take its time."""
        self._is_closed = True
        self._watch.set()

    # -- with the lock -------------------------------------------------------------------------------------------------
    def _move(self, start: int) -> None:
        """Go on from there: at once, or as soon as the thread that waits now does not."""
        self._held.clear()
        self._error = None
        self._from = self._next = start
        self._seek_to = start
        if not self._is_watched:
            self._seek()

    def _seek(self) -> None:
        start, self._seek_to = self._seek_to, None
        if start is not None:
            with kafka_errors(self._settings, self._doing):
                self._consumer.assign([TopicPartition(self._topic, self._shard, start)])

    def _consume(self, limit: int) -> Sequence[Message]:
        """What the client library holds ready, without waiting."""
        with kafka_errors(self._settings, self._doing):
            return self._consumer.consume(limit, 0)

    def _fill(self, messages: Sequence[Message], may_ask: bool) -> None:
        """Take records over, up to the first error; what stands behind it is asked for again.

        may_ask: whether an offset that is not there may be settled now; else the thread comes upon it once more.
        """
        held = self._held
        for message in messages:
            error = message.error()
            if error is None:
                offset = message.offset()
                try:
                    record = self._record(message)
                except Exception as failure:  # noqa: BLE001  # of reading Avro, whatever that asks: it is asked again
                    self._error = failure
                    return
                held.append((offset, record))  # type: ignore[arg-type]  # a record that was read has an offset
                self._next = offset + 1  # type: ignore[operator]
            elif error.code() in _NOT_THERE:
                self._seek_to = self._next
                if may_ask:
                    self._not_there()
                return
            elif not _passes(error):
                doing = f"{self._doing} from offset {self._next}"
                self._error = our_error(error, self._settings, doing, self._faults)
                return

    def _record(self, message: Message) -> bytes:
        headers, why_not = read_headers(message)
        if why_not:
            return UnreadableRecord(why_not)
        return command_form(message.value(), headers, self._read_avro)

    def _not_there(self) -> None:
        try:
            self._next = self._seek_to = self._out_of_range(self._shard, self._next)
        except ShardlogError as error:
            self._error = error
            self._seek_to = None

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            self._watch.wait()
            if self._is_closed:
                break
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  # whatever it is, a reader hears of it, and asks again
                with self._lock:
                    self._error = error
                    self._hand_over()
                self._arrived()
        self._consumer.close()

    def _look(self) -> None:
        """Wait for a record; then the reader takes over."""
        with kafka_errors(self._settings, self._doing):
            message = self._consumer.poll(WATCH_SECONDS)
        with self._lock:
            if self._seek_to is not None:  # the reader went elsewhere: what came is of where it was
                self._seek()
                return
            if message is not None:
                self._fill([message], may_ask=True)
            elif self._faults.refusal is not None:
                self._error = our_error(self._faults.refusal, self._settings, self._doing)
                self._faults.succeeded()  # said once; where it goes on, it is reported again
            self._seek()
            if not self._held and self._error is None:
                return
            self._hand_over()
        self._arrived()

    def _hand_over(self) -> None:
        self._is_watched = False
        if not self._is_closed:
            self._watch.clear()

    @property
    def _doing(self) -> str:
        return f"reading topic {self._topic}, shard {self._shard}"


_PASSING = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE})


def _passes(error: KafkaError) -> bool:
    """Whether the client library gets over it by itself."""
    return error.retriable() or error.code() in _PASSING
