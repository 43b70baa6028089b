"""The relay on Kafka: a publisher and a carrier, each stepped by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from shardlog.adapters.kafka.originals import KafkaOriginals
from shardlog.adapters.kafka.outputs import KafkaOutputs
from shardlog.adapters.kafka.sends import KafkaCarriage
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalUnavailable, OutputsFailed, ShardlogError
from shardlog.executor.clock import SystemWorld
from shardlog.model.application import Application
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.relay.carrier import Carrier
from shardlog.relay.limits import PublisherLimits, RelayLimits
from shardlog.relay.publisher import Publisher
from shardlog.relay.publishing import JSON_EVENTS, EventForm, Publishing

log = logging.getLogger("shardlog.relay")
PUBLISHER_IDLE_SECONDS = 0.01
CARRIER_IDLE_SECONDS = 0.002
"""How long a thread that found nothing waits before it looks again: what it reads is fetched beside it."""
IDLE_SECONDS_MAX = 0.02
"""How long one waits that has found nothing for a while: each time half as long again as before."""
IDLE_GROWTH = 1.5


class KafkaRelay:
    """Publishes and carries what the shards of a journal say, until it is stopped.

    journal: is read by both, and not closed here. journal_id, shards: as the meta record says. inputs: by which
    forwards are fetched, which is `KafkaInput` of the commands topic. events: how events are written.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        journal: Journal,
        journal_id: str,
        shards: int,
        application: Application,
        inputs: Sequence[Input] = (),
        events: EventForm = JSON_EVENTS,
        publisher_limits: PublisherLimits | None = None,
        relay_limits: RelayLimits | None = None,
    ) -> None:
        monotonic_ms = SystemWorld().monotonic_ms
        self._outputs = KafkaOutputs(settings)
        self._originals = KafkaOriginals(settings)
        self.publisher = Publisher(
            journal,
            journal_id,
            shards,
            Publishing(application, settings.journal, events),
            self._outputs,
            self._originals,
            monotonic_ms,
            publisher_limits,
        )
        self.carrier = Carrier(
            journal, journal_id, shards, application, KafkaCarriage(settings), monotonic_ms, inputs, relay_limits
        )
        self._publishing = _Loop(
            "shardlog-publisher", self.publisher.step, lambda: self.publisher.progress, PUBLISHER_IDLE_SECONDS
        )
        self._carrying = _Loop(
            "shardlog-carrier", self.carrier.step, lambda: self.carrier.progress, CARRIER_IDLE_SECONDS
        )

    def start(self) -> None:
        """Begin. Both find out by themselves what they reach, and note it in `errors`."""
        self._publishing.start()
        self._carrying.start()

    def stop(self, deadline_ms: int) -> None:
        """End within about the deadline: what is under way is delivered, and how far this came is stored."""
        give_up = time.monotonic() + deadline_ms / 1000
        has_ended = [loop.stop(max(give_up - time.monotonic(), 0.0)) for loop in (self._carrying, self._publishing)]
        if has_ended[1]:
            self.publisher.flush()
            self._outputs.close()
            self._originals.close()
        if has_ended[0]:
            self.carrier.close(max(int((give_up - time.monotonic()) * 1000), 0))

    @property
    def errors(self) -> dict[str, ShardlogError]:
        """What goes wrong now, by role and what it concerns."""
        return {f"publisher, {name}": error for name, error in list(self.publisher.errors.items())} | {
            f"carrier, {name}": error for name, error in list(self.carrier.errors.items())
        }

    def raise_ended(self) -> None:
        """Raise what ended a thread, if anything has."""
        for loop in (self._publishing, self._carrying):
            if loop.error is not None:
                raise loop.error

    def raise_error(self) -> None:
        """Raise what somebody must act on: a thread that ended, or an error that does not pass by itself."""
        self.raise_ended()
        for error in self.errors.values():
            if not isinstance(error, OutputsFailed | JournalUnavailable):
                raise error


class _Loop:
    """A thread that steps a role until it is stopped. progress: another value where a step has done something."""

    def __init__(self, name: str, step: Callable[[], bool], progress: Callable[[], int], idle_s: float) -> None:
        self.error: Exception | None = None
        self._step = step
        self._progress = progress
        self._idle_s = idle_s
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within_s: float) -> bool:
        """End it; whether it has ended, and was not ended by an error."""
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)
        return not self._thread.is_alive() and self.error is None

    def _run(self) -> None:
        try:
            wait_s, before = self._idle_s, -1
            while not self._is_stopping.is_set():
                is_more_there = self._step()
                progress = self._progress()
                wait_s = self._idle_s if progress != before else min(wait_s * IDLE_GROWTH, IDLE_SECONDS_MAX)
                before = progress
                if not is_more_there:
                    self._is_stopping.wait(wait_s)
        except Exception as error:
            log.exception("%s stopped; what it has not done waits for the next start", self._thread.name)
            self.error = error
