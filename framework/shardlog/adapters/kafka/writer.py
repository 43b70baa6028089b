"""A writer of one shard: one idempotent producer, made fresh, and a thread that takes its reports (rule A1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from shardlog.adapters.kafka.clients import producer_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, append_failed, explain, kafka_errors
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import AppendFailed, JournalUnavailable
from shardlog.ports.journal import Report, Writer

POLL_SECONDS = 0.2
"""How long the thread waits for a report at most; one that comes wakes it at once."""


class KafkaWriter(Writer):
    """Appends to one partition. landed: told the offset of every append that is reported with one."""

    def __init__(self, settings: KafkaSettings, shard: int, landed: Callable[[int], None]) -> None:
        self._settings = settings
        self._topic = settings.journal_topic
        self._shard = shard
        self._landed = landed
        self._faults = Faults()
        self._is_abandoned = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._waiting: dict[int, Callable[[Report], None]] = {}
        self._appended = 0
        doing = f"making a producer for {self._doing}"
        with kafka_errors(settings, doing):
            self._producer: Producer | None = Producer(producer_config(settings) | {"error_cb": self._faults.note})
        self._thread = threading.Thread(target=self._run, name=f"shardlog-kafka-{shard}", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether its producer is gone."""
        return self._ended.is_set()

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        with self._lock:
            producer = None if self._is_abandoned else self._producer
            number = self._appended
            if producer is not None:
                self._appended += 1
                self._waiting[number] = reported
        if producer is None:
            reported(AppendFailed(f"{self._doing}: the writer is abandoned: this value was not appended"))
            return
        try:
            producer.produce(self._topic, value, partition=self._shard, on_delivery=partial(self._delivered, number))
        except FOREIGN_ERRORS as error:
            text = explain(error, self._settings, f"an append to {self._doing}")
            self._report(number, JournalUnavailable(f"{text}. It was not sent"))

    def abandon(self, deadline_ms: int) -> None:
        with self._lock:
            self._is_abandoned = True
            producer = self._producer
        if producer is not None:
            producer.purge(in_queue=True, in_flight=True, blocking=False)
        with self._settled:
            if threading.current_thread() is not self._thread:
                self._settled.wait_for(lambda: not self._waiting, deadline_ms / 1000)
            numbers = list(self._waiting)
        for number in numbers:  # of a producer that does not end in time; its thread goes on without anybody waiting
            why = "the writer was abandoned, and its producer has not said how it went"
            self._report(number, AppendFailed(f"{self._doing}: {why}"))

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        producer = self._producer
        assert producer is not None
        try:
            with suppress(*FOREIGN_ERRORS):  # asked at once, it has its number 0.5 s earlier than when it is left alone
                producer.list_topics(self._topic, timeout=POLL_SECONDS)
            while not self._is_abandoned:
                producer.poll(POLL_SECONDS)
            producer.purge(in_queue=True, in_flight=True, blocking=False)
            while self._waiting and len(producer):
                producer.poll(POLL_SECONDS)
        finally:
            with self._lock:
                self._is_abandoned = True
                self._producer = None
            del producer  # frees it, in this thread: with brokers gone it may take its time
            self._ended.set()

    def _delivered(self, number: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            offset = message.offset()
            if offset is None or offset < 0:  # it stands there, and the broker did not say where
                self._report(number, None)
            else:
                self._faults.succeeded()
                self._landed(offset)
                self._report(number, offset)
        else:
            cause = self._faults.refusal or error
            self._report(number, append_failed(cause, self._settings, f"an append to {self._doing}"))

    def _report(self, number: int, report: Report) -> None:
        """Report once, whoever comes first."""
        with self._lock:
            reported = self._waiting.pop(number, None)
            if not self._waiting:
                self._settled.notify_all()
        if reported is not None:
            reported(report)

    @property
    def _doing(self) -> str:
        return f"topic {self._topic}, shard {self._shard}"
