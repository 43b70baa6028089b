"""Whether a topic is still the one that offsets speak of: one that was deleted and made again has them all anew."""

from __future__ import annotations

import logging
import threading

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.errors import ConfigurationError, Diverged, JournalUnavailable

log = logging.getLogger("shardlog.kafka")


class Incarnation:
    """Asks in a thread of its own, from the first use on; what it has found is raised to everybody who asks."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topics = KafkaTopics(settings)
        self._topic = topic
        self._every_s = settings.topic_check_ms / 1000
        self._id = ""
        self._changed_to: str | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self, shard: int) -> None:
        """Raise Diverged where it is known to be another topic; it costs nothing."""
        if self._thread is None:
            self._begin()
        if self._changed_to is not None:
            raise Diverged(
                shard,
                0,
                f"topic {self._topic} was deleted and made again while it was in use: its id was {self._id} and is "
                f"{self._changed_to} now. Nothing is read of it and nothing written; restore the "
                "journal from a replica or a backup. If it is gone for good, make a journal of another name",
            )

    def ask(self, shard: int) -> None:
        """As `check`, and ask the brokers first; where none answers, nothing is said."""
        self._look()
        self.check(shard)

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="shardlog-kafka-topic", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        self._look()
        while not self._closing.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        try:
            found = self._topics.id_of(self._topic)
        except JournalUnavailable:
            return  # whoever reads or appends hears of it
        except ConfigurationError:
            found = ""  # gone, or not to be seen by this user: whoever reads or appends hears of it
        with self._lock:
            if not self._id:
                self._id = found
            elif found and found != self._id and self._changed_to is None:
                self._changed_to = found
                log.error("topic %s was deleted and made again: its id was %s, and is %s", self._topic, self._id, found)
