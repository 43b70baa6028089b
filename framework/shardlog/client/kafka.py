"""Commands sent from Python into a commands topic: idempotent, in batches, to the shard that their id belongs to."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, Unpack

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from shardlog.adapters.kafka.clients import commands_producer_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, append_failed, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.client.commands import CommandOptions, command_record
from shardlog.errors import NotServing
from shardlog.ids import check_stream_id
from shardlog.model.messages import Command
from shardlog.model.stream import Stream
from shardlog.sharding import routing_key

C = TypeVar("C", bound=Command)
POLL_SECONDS = 0.1
"""How long the thread that takes reports waits at most; one that comes wakes it at once."""
FULL_SECONDS = 0.005
CLOSE_SECONDS = 30.0
_encode = msgspec.json.Encoder().encode


class Delivered(msgspec.Struct, frozen=True):
    """A command stands in the topic and will be executed. command_id: its own, or the fresh one that it was given.

    offset: -1 where the brokers did not say it.
    """

    command_id: str
    partition: int
    offset: int


class KafkaCommands:
    """Sends to the topic `NAME.commands`. From any thread; used as a context manager it is closed at the end.

    What comes of a command is not known here: give `reply_to`, and read the replies topic. Raises ConfigurationError.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.commands_topic
        self._faults = Faults()
        self._is_closed = False
        with kafka_errors(settings, "making a producer of commands"):
            self._producer = Producer(commands_producer_config(settings) | {"error_cb": self._faults.note})
        self._thread = threading.Thread(target=self._take_reports, name="shardlog-commands", daemon=True)
        self._thread.start()

    def send(
        self, stream: Stream[Any, C, Any], command: C, *, reply_to: str = "", **options: Unpack[CommandOptions]
    ) -> Future[Delivered]:
        """Hand in a command; the future ends when the brokers have it, or with AppendFailed: it may be there anyway.

        Whoever may send a command again gives it a `command_id`. reply_to: the key of the reply; "" for no reply. A
        full queue is waited for, `request_timeout_ms` at most. Raises TypeError and ValueError for what cannot be sent,
        InvalidId, JournalUnavailable for a queue that stays full, and NotServing after `close`.
        """
        aggregate = stream.aggregate
        record = command_record(stream, command, time.time_ns() // 1_000, options)
        check_stream_id(record.id, aggregate.category)
        if reply_to:
            record = msgspec.structs.replace(record, reply_to=reply_to)
        future: Future[Delivered] = Future()
        report = partial(self._reported, future, record.command_id)
        self._produce(routing_key(record.id, aggregate.routing_parts).encode(), _encode(record), report)
        return future

    def flush(self, within_s: float = CLOSE_SECONDS) -> int:
        """Wait until all that was sent is reported; returns how many commands are not, after so many seconds."""
        with kafka_errors(self._settings, "flushing commands", self._faults):
            return self._producer.flush(within_s)

    def close(self, within_s: float = CLOSE_SECONDS) -> None:
        """Flush, and let go of the producer; futures that are open then end with AppendFailed. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.flush(within_s)
        finally:
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
            self._thread.join(within_s)

    def __enter__(self) -> KafkaCommands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _produce(self, key: bytes, value: bytes, report: Any) -> None:
        give_up = 0.0
        while not self._is_closed:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=report)
            except FOREIGN_ERRORS as error:
                give_up = give_up or time.monotonic() + self._settings.request_timeout_ms / 1000
                if not isinstance(error, BufferError) or time.monotonic() > give_up:
                    doing = f"a command to topic {self._topic}"
                    cause = KafkaError(KafkaError._QUEUE_FULL) if isinstance(error, BufferError) else error
                    raise our_error(cause, self._settings, doing, self._faults) from error
                time.sleep(FULL_SECONDS)  # the queue is full; the thread takes reports meanwhile
            else:
                return
        raise NotServing("this sender of commands is closed: nothing was sent; make another")

    def _take_reports(self) -> None:
        while not self._is_closed or len(self._producer):
            self._producer.poll(POLL_SECONDS)

    def _reported(self, future: Future[Delivered], command_id: str, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            cause = self._faults.refusal or error
            doing = f"command {command_id} to topic {self._topic}; it may be there: send it again under the same id"
            future.set_exception(append_failed(cause, self._settings, doing))
            return
        partition, offset = (-1 if number is None else number for number in (message.partition(), message.offset()))
        future.set_result(Delivered(command_id, partition, offset))
