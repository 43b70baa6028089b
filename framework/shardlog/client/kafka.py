"""Commands sent from Python into a commands topic: idempotent, in batches, to the shard that their id belongs to."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, Unpack

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from shardlog.adapters.kafka.clients import commands_producer_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, explain, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.client.commands import CommandOptions, command_record
from shardlog.client.unreported import Unreported
from shardlog.errors import AppendFailed, ConfigurationError, NotServing
from shardlog.ids import check_stream_id
from shardlog.model.messages import Command
from shardlog.model.stream import Stream
from shardlog.sharding import routing_key

C = TypeVar("C", bound=Command)
POLL_SECONDS = 0.1
"""How long the thread that takes reports waits at most; one that comes wakes it at once."""
FULL_SECONDS = 0.005
CLOSE_SECONDS = 30.0
DELIVER_SECONDS = 30.0
QUIET_SECONDS = 3.0
"""After how long without any report it is said that none comes."""
LOOK_SECONDS = 0.2
"""How often it is looked whether one is overdue."""
CHECK = "check that a broker runs there (bootstrap_servers), and that the topic was made (shardlog admin init)"
log = logging.getLogger("shardlog.client")
_library_log = logging.getLogger("shardlog.client.library")
_library_log.addHandler(logging.NullHandler())  # a line for each try to connect, for those only who set up a log
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

    What comes of a command is not known here: give `reply_to`, and read the replies topic. deliver_within_s: how long a
    command's future waits for the brokers, above 0; where they are silent for 3 s, the log says so before. Raises
    ConfigurationError.
    """

    def __init__(self, settings: KafkaSettings, *, deliver_within_s: float = DELIVER_SECONDS) -> None:
        if not deliver_within_s > 0:
            raise ConfigurationError(f"deliver_within_s is {deliver_within_s}, and must be above 0: 30 is the default")
        self._settings = settings
        self._topic = settings.commands_topic
        self._deliver_within_s = deliver_within_s
        self._faults = Faults()
        self._fault: KafkaError | None = None
        self._is_closed = False
        self._unreported = Unreported()
        self._reported_at = 0.0
        self._is_silence_said = False
        with kafka_errors(settings, "making a producer of commands"):
            more = {"error_cb": self._note, "logger": _library_log}
            self._producer = Producer(commands_producer_config(settings) | more)
        self._thread = threading.Thread(target=self._take_reports, name="shardlog-commands", daemon=True)
        self._thread.start()

    def send(
        self, stream: Stream[Any, C, Any], command: C, *, reply_to: str = "", **options: Unpack[CommandOptions]
    ) -> Future[Delivered]:
        """Hand in a command; the future ends when the brokers have it, or with AppendFailed: it may be there anyway.

        It ends within `deliver_within_s`, and cannot be cancelled. Whoever may send a command again gives it a
        `command_id`. reply_to: the key of the reply; "" for no reply. A full queue is waited for, `request_timeout_ms`
        at most. Raises TypeError and ValueError for what cannot be sent, InvalidId, JournalUnavailable for a queue that
        stays full, and NotServing after `close`.
        """
        aggregate = stream.aggregate
        record = command_record(stream, command, time.time_ns() // 1_000, options)
        check_stream_id(record.id, aggregate.category)
        if reply_to:
            record = msgspec.structs.replace(record, reply_to=reply_to)
        future: Future[Delivered] = Future()
        future.set_running_or_notify_cancel()
        report = partial(self._reported, future, record.command_id)
        self._unreported.put(future, record.command_id)
        try:
            self._produce(routing_key(record.id, aggregate.routing_parts).encode(), _encode(record), report)
        except BaseException:
            self._unreported.take(future)
            raise
        return future

    def flush(self, within_s: float = CLOSE_SECONDS) -> int:
        """Wait until all that was sent is reported; returns how many commands are not, after so many seconds."""
        with kafka_errors(self._settings, "flushing commands", self._faults):
            return self._producer.flush(within_s)

    def close(self, within_s: float = CLOSE_SECONDS) -> None:
        """Flush, and let go of the producer; futures that are open then end with AppendFailed, and the log says how
        many. Where none is open it waits for nothing. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            left = self.flush(within_s if len(self._unreported) else 0.0)
            if left and len(self._unreported):
                log.error("%s", self._silence(f"{left} command(s) to topic {self._topic}, given up at the end,"))
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
        look_at = 0.0
        while not self._is_closed or len(self._producer):
            self._producer.poll(POLL_SECONDS)
            if time.monotonic() >= look_at:
                self._look()
                look_at = time.monotonic() + LOOK_SECONDS

    def _look(self) -> None:
        """End what is overdue, and say once that nothing is reported."""
        oldest_at = self._unreported.oldest_at()
        if oldest_at is None:
            self._is_silence_said = False
            return
        now = time.monotonic()
        for future, sent in self._unreported.take_before(now - self._deliver_within_s):
            about = self._silence(f"command {sent.command_id} to topic {self._topic}")
            waited = f"not taken within {self._deliver_within_s:g} s, and it may still arrive"
            future.set_exception(AppendFailed(f"{about}, then send it again under the same id: {waited}"))
        if not self._is_silence_said and now - max(oldest_at, self._reported_at) > QUIET_SECONDS:
            self._is_silence_said = True
            waiting = f"for {QUIET_SECONDS:g} s, and commands wait for {self._deliver_within_s:g} s at most"
            log.warning("%s: nothing was taken %s", self._silence(f"commands to topic {self._topic}"), waiting)

    def _silence(self, doing: str) -> str:
        cause = self._faults.refusal or self._fault or KafkaError(KafkaError._UNKNOWN_TOPIC)
        return f"{explain(cause, self._settings, doing)}; {CHECK}"

    def _note(self, error: KafkaError) -> None:
        """What the client reports beside its calls: that all are down says less than why one is."""
        self._faults.note(error)
        if self._fault is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._fault = error

    def _reported(self, future: Future[Delivered], command_id: str, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._reported_at = time.monotonic()
            self._fault = None
            self._faults.succeeded()
        if not self._unreported.take(future):
            return  # it was overdue, and has ended so
        if error is not None:
            cause = self._faults.refusal or error
            said = explain(cause, self._settings, f"command {command_id} to topic {self._topic}")
            next_step = f"It may be there: {CHECK}, then send it again under the same id"
            future.set_exception(AppendFailed(f"{said}. {next_step}"))
            return
        partition, offset = (-1 if number is None else number for number in (message.partition(), message.offset()))
        future.set_result(Delivered(command_id, partition, offset))
