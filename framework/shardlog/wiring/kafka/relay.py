"""The relay in a process of its own: one thread publishes in transactions, one carries sends without any."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.originals import KafkaOriginals
from shardlog.adapters.kafka.outputs import KafkaOutputs
from shardlog.adapters.kafka.sends import KafkaCarriage
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.executor.clock import SystemWorld
from shardlog.model.application import Application
from shardlog.relay.carrier import Carrier
from shardlog.relay.publisher import Publisher
from shardlog.relay.publishing import JSON_EVENTS, Publishing
from shardlog.telemetry.figures import PublisherFigures, RelayFigures
from shardlog.wiring.kafka.avro import LazyAvro
from shardlog.wiring.kafka.inputs import kafka_inputs
from shardlog.wiring.kafka.log import OpenLog, Stopped, opened, until_there
from shardlog.wiring.kafka.topics import relay_topics
from shardlog.wiring.settings import Settings

log = logging.getLogger("shardlog.relay")
PUBLISHER_IDLE_SECONDS = 0.02
CARRIER_IDLE_SECONDS = 0.002
"""How long each sleeps where nothing was there: a send is on the way of a process, a published event is not."""
CLOSE_MS = 5_000


class RelayProcess:
    """Publishes and carries for all shards of a journal on Kafka. avro: reads commands and writes events in Avro."""

    def __init__(self, settings: Settings, application: Application, avro: LazyAvro) -> None:
        self._settings = settings
        self._application = application
        self._avro = avro
        self._publisher: Publisher | None = None
        self._carrier: Carrier | None = None
        self._stop = threading.Event()
        self._failed: BaseException | None = None

    def stop(self) -> None:
        """End after the transaction under way. From any thread, or a signal's handler."""
        self._stop.set()

    def figures(self) -> list[RelayFigures | PublisherFigures]:
        """What it shows of itself to metrics. From any thread."""
        return [role.figures() for role in (self._publisher, self._carrier) if role is not None]

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until `stop`. announce: called once with the journal's id.

        Raises ConfigurationError, JournalMismatch, and an error that nobody foresaw.
        """
        try:
            with opened(self._settings, self._application, self._stop) as opened_log:
                self._serve(opened_log, announce)
        except Stopped:
            return

    def _serve(self, opened_log: OpenLog, announce: Callable[[str], None]) -> None:
        settings, meta = self._settings.kafka, opened_log.meta
        wanted = relay_topics(self._settings, meta.shards, sorted(self._application.aggregates))
        until_there(lambda: KafkaTopics(settings).check(wanted), self._stop)
        with kafka_inputs(self._settings, opened_log, self._stop, self._avro.read_command) as inputs:
            threads = [
                threading.Thread(target=self._guarded, args=(run, opened_log, inputs), name=f"shardlog-{name}")
                for name, run in (("publisher", self._publish), ("carrier", self._carry))
            ]
            for thread in threads:
                thread.start()
            try:
                announce(meta.journal)
            finally:
                for thread in threads:
                    thread.join()
        if self._failed is not None:
            raise self._failed

    def _guarded(
        self, run: Callable[[OpenLog, Sequence[KafkaInput]], None], opened_log: OpenLog, inputs: Sequence[KafkaInput]
    ) -> None:
        try:
            run(opened_log, inputs)
        except Exception as error:
            log.exception("the relay stopped; what it had to do waits in the journal for the next start")
            self._failed = error
            self._stop.set()

    def _publish(self, opened_log: OpenLog, _inputs: Sequence[KafkaInput]) -> None:
        settings, meta = self._settings, opened_log.meta
        outputs, originals = KafkaOutputs(settings.kafka), KafkaOriginals(settings.kafka)
        form = self._avro.event_form(settings.kafka) if settings.publisher.event_format == "avro" else JSON_EVENTS
        publisher = self._publisher = Publisher(
            opened_log.journal,
            meta.journal,
            meta.shards,
            Publishing(self._application, settings.kafka.journal, form),
            outputs,
            originals,
            SystemWorld().monotonic_ms,
            settings.publisher,
        )
        try:
            while not self._stop.is_set():
                if not publisher.step():
                    self._stop.wait(PUBLISHER_IDLE_SECONDS)
            publisher.flush()
        finally:
            outputs.close()
            originals.close()

    def _carry(self, opened_log: OpenLog, inputs: Sequence[KafkaInput]) -> None:
        settings, meta = self._settings, opened_log.meta
        carrier = self._carrier = Carrier(
            opened_log.journal,
            meta.journal,
            meta.shards,
            self._application,
            KafkaCarriage(settings.kafka),
            SystemWorld().monotonic_ms,
            inputs,
            settings.relay,
        )
        try:
            while not self._stop.is_set():
                if not carrier.step():
                    self._stop.wait(CARRIER_IDLE_SECONDS)
        finally:
            carrier.close(CLOSE_MS)
