"""The relay in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.model.application import Application
from shardlog.relay.publishing import JSON_EVENTS
from shardlog.telemetry.figures import PublisherFigures, RelayFigures
from shardlog.wiring.kafka.avro import LazyAvro
from shardlog.wiring.kafka.inputs import kafka_inputs
from shardlog.wiring.kafka.log import OpenLog, Stopped, opened, until_there
from shardlog.wiring.kafka.relaying import KafkaRelay
from shardlog.wiring.kafka.topics import relay_topics
from shardlog.wiring.settings import Settings

LOOK_SECONDS = 0.2
CLOSE_MS = 10_000


class RelayProcess:
    """Publishes and carries for all shards of a journal on Kafka. avro: reads commands and writes events in Avro."""

    def __init__(self, settings: Settings, application: Application, avro: LazyAvro) -> None:
        self._settings = settings
        self._application = application
        self._avro = avro
        self._stop = threading.Event()
        self._relay: KafkaRelay | None = None

    def stop(self) -> None:
        """End after the transaction under way. From any thread, or a signal's handler."""
        self._stop.set()

    def figures(self) -> list[RelayFigures | PublisherFigures]:
        """What it shows of itself to metrics. From any thread."""
        relay = self._relay
        return [] if relay is None else [relay.publisher.figures(), relay.carrier.figures()]

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until `stop`. announce: called once with the journal's id.

        What fails is logged and tried again. Raises ConfigurationError, JournalMismatch, and what ended a thread.
        """
        try:
            with opened(self._settings, self._application, self._stop) as opened_log:
                self._serve(opened_log, announce)
        except Stopped:
            return

    def _serve(self, opened_log: OpenLog, announce: Callable[[str], None]) -> None:
        settings, meta = self._settings, opened_log.meta
        wanted = relay_topics(settings, meta.shards, sorted(self._application.aggregates))
        until_there(lambda: KafkaTopics(settings.kafka).check(wanted), self._stop)
        events, event_bytes_max = JSON_EVENTS, settings.executor.frame_bytes_max
        if settings.publisher.event_format == "avro":
            events = self._avro.event_form(settings.kafka, event_bytes_max)
        with kafka_inputs(settings, opened_log, self._stop, self._avro.read_command) as inputs:
            relay = self._relay = KafkaRelay(
                settings.kafka,
                opened_log.journal,
                meta.journal,
                meta.shards,
                self._application,
                inputs,
                events,
                settings.publisher,
                settings.relay,
            )
            relay.start()
            try:
                announce(meta.journal)
                while not self._stop.wait(LOOK_SECONDS):
                    relay.raise_ended()
            finally:
                relay.stop(CLOSE_MS)
