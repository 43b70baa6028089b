"""The topics that commands come from, as inputs of the executors: `NAME.commands` and `NAME.sends`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from shardlog.adapters.kafka.arrivals import Arrivals
from shardlog.adapters.kafka.command_form import ReadAvro
from shardlog.adapters.kafka.fetching import CommandFetch
from shardlog.adapters.kafka.settings import RECORD_OVERHEAD_BYTES, KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, Topic
from shardlog.errors import InputChanged, InputTruncated, JournalUnavailable, ShardlogError
from shardlog.ports.inputs import Input

log = logging.getLogger("shardlog.kafka")
_LARGE = frozenset({"max.message.bytes"})
NOTHING_ACCEPTED: Mapping[int, int] = MappingProxyType({})


def command_topics(settings: KafkaSettings, shards: int, command_bytes_max: int) -> list[Topic]:
    """Both topics: a partition a shard, never compacted, since records of one key are commands of many streams.

    How long producers' commands are kept is the cluster's default, or what is set: longer than executors may be away.
    Sends are kept: a target that is away for long must not miss one.
    """
    least = str(command_bytes_max + RECORD_OVERHEAD_BYTES)
    kept = {"cleanup.policy": "delete", "unclean.leader.election.enable": "false", "max.message.bytes": least}
    always = {"retention.ms": "-1", "retention.bytes": "-1"}
    return [
        Topic(settings.commands_topic, shards, kept, _LARGE),
        Topic(settings.sends_topic, shards, kept | always, _LARGE),
    ]


def input_name(topic: str, topic_id: str) -> str:
    """How frames name an input: kafka:TOPIC:TOPIC_ID."""
    return f"kafka:{topic}:{topic_id}"


class KafkaInput(Input):
    """One topic. It is read by partition, from the offsets that frames name; no consumer group is joined.

    accepted_gaps: by shard, the offset up to which missing records are accepted. read_avro: what header records with
    Avro payloads are read by. Raises ConfigurationError where there is no such topic, JournalUnavailable.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        carries_sends: bool = False,
        read_avro: ReadAvro | None = None,
        accepted_gaps: Mapping[int, int] = NOTHING_ACCEPTED,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._carries_sends = carries_sends
        self._accepted_gaps = dict(accepted_gaps)
        self._lock = threading.Lock()
        self._wakes: tuple[Callable[[], None], ...] = ()
        self._problem: ShardlogError | None = None
        self._topics = KafkaTopics(settings)
        self._id = self._topics.id_of(topic)
        self._name = input_name(topic, self._id)
        self._fetch = CommandFetch(settings, topic, read_avro)
        self._arrivals = Arrivals(settings, topic, read_avro, self._arrived, self._behind_the_gap)
        self._closing = threading.Event()
        threading.Thread(target=self._check, name=f"shardlog-check-{topic}", daemon=True).start()

    @property
    def name(self) -> str:
        """kafka:TOPIC:TOPIC_ID."""
        return self._name

    @property
    def carries_sends(self) -> bool:
        return self._carries_sends

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """As the port says. One reader a shard goes on without seeking; another elsewhere makes it seek each time.

        Raises InputTruncated, InputChanged, ConfigurationError and JournalUnavailable.
        """
        if self._problem is not None:
            raise self._problem.with_traceback(None)  # the same one again and again
        return self._arrivals.take(shard, start, limit)

    def end(self, shard: int) -> int | None:
        """As the last fetch of the shard said: no broker is asked."""
        return self._arrivals.end(shard)

    def release(self, shard: int) -> None:
        """Its records are not fetched any more."""
        self._arrivals.release(shard)

    def read_again(self, shard: int, offset: int) -> bytes | None:
        """Beside the executors' reading; it waits for `request_timeout_ms` at most, then raises JournalUnavailable."""
        found = self._fetch.at(shard, offset)
        return None if found is None else found.value

    def original(self, shard: int, offset: int) -> bytes | None:
        """As `read_again`: the value as it stands in the topic."""
        found = self._fetch.at(shard, offset)
        return None if found is None else found.original

    def accept_gaps(self, gaps: Mapping[int, int]) -> None:
        """By shard, the offset up to which records may be missing from here on. From any thread."""
        self._accepted_gaps = dict(gaps)

    def on_arrival(self, wake: Callable[[], None]) -> None:
        """Each shard's executor may give the same one; all that differ are called."""
        with self._lock:
            if wake not in self._wakes:
                self._wakes = (*self._wakes, wake)

    def close(self) -> None:
        """End its threads and consumers, in the background."""
        self._closing.set()
        self._fetch.close()
        self._arrivals.close()

    def _arrived(self) -> None:
        for wake in self._wakes:
            wake()

    # -- what is not as it was -----------------------------------------------------------------------------------------
    def _behind_the_gap(self, shard: int, start: int) -> int:
        """Where to go on when `start` is not there. Raises InputTruncated, InputChanged, JournalUnavailable."""
        self._check_id()
        earliest, end = self._fetch.bounds(shard)
        if start > end:
            raise InputChanged(
                f"shard {shard}: input {self._name!r} ends at offset {end}, and frames have settled it up to {start}: "
                "brokers have lost records, or another cluster answers. Restore the topic; or make it anew and accept "
                f"it: shardlog admin accept-input {self._topic}"
            )
        if start >= earliest:
            return start
        accepted = self._accepted_gaps.get(shard, 0)
        if accepted < earliest:
            raise InputTruncated(self._name, shard, start, earliest)
        log.warning(
            "shard %d: input %s goes on from offset %d; the gap from %d was accepted",
            shard,
            self._name,
            earliest,
            start,
        )
        return earliest

    def _check(self) -> None:
        """Look again and again whether the topic is still the one that frames speak of."""
        while not self._closing.wait(self._settings.topic_check_ms / 1000):
            try:
                self._check_id()
            except JournalUnavailable:
                continue  # whoever reads hears of it
            except ShardlogError as error:
                if self._problem is None:
                    log.error("input %s: %s", self._name, error)
                self._problem = error
            else:
                self._problem = None

    def _check_id(self) -> None:
        """Raises InputChanged where the topic's name means another topic now."""
        found = self._topics.id_of(self._topic)
        if found != self._id:
            raise InputChanged(
                f"input {self._name!r}: topic {self._topic} was deleted and made again while it was read; its id is "
                f"{found} now, and its offsets mean other records. Nothing more is read. If that is meant, accept the "
                f"new one and start again: shardlog admin accept-input kafka:{self._topic}:{found}"
            )
