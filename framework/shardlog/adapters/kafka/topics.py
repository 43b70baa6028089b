"""The topics of a journal: made where they are missing, refused by setting, value and remedy where they are wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource, NewTopic, TopicMetadata

from shardlog.adapters.kafka.clients import admin_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, is_for_good, kafka_error, kafka_errors, our_error
from shardlog.adapters.kafka.settings import RECORD_OVERHEAD_BYTES, KafkaSettings
from shardlog.errors import ConfigurationError, JournalRefused, JournalUnavailable
from shardlog.model.names import listed

ASK_SECONDS = 1.0
LOOK_SECONDS = 0.02
ANSWER_SECONDS = 1.0
"""What an answer may take on its way from the client's thread, beside the request's own time."""
ID_SECONDS = 2.0
"""How long the question for a topic's id waits at most: it is asked again and again."""
REPLICATED_BROKERS_MIN = 3


class Topic(NamedTuple):
    """A topic as it must be. settings: what is set when it is made; those in `checked` are refused when they differ.

    at_least: settings that are numbers and may be larger. advised: set when it is made, and free to be changed.
    """

    name: str
    partitions: int
    settings: Mapping[str, str]
    at_least: frozenset[str] = frozenset()
    advised: Mapping[str, str] = MappingProxyType({})


def journal_topic(settings: KafkaSettings, shards: int, frame_bytes_max: int) -> Topic:
    """Frames and claims: nothing is ever deleted but by truncation, nothing compacted, no record refused for its size.

    Raises ConfigurationError where the largest frame does not fit a record.
    """
    least = frame_bytes_max + RECORD_OVERHEAD_BYTES
    if least > settings.record_bytes_max:
        raise ConfigurationError(
            f"executor setting frame_bytes_max is {frame_bytes_max}, and does not fit kafka setting record_bytes_max "
            f"({settings.record_bytes_max}): raise that to {least} or more, or lower frame_bytes_max"
        )
    kept = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "unclean.leader.election.enable": "false",
        "max.message.bytes": str(least),
    }
    return Topic(settings.journal_topic, shards, kept, frozenset({"max.message.bytes"}))


def control_topic(settings: KafkaSettings) -> Topic:
    """Meta record, assignments and owners: the newest of each key is kept."""
    return Topic(settings.control_topic, 1, COMPACTED)


COMPACTED = {"cleanup.policy": "compact", "unclean.leader.election.enable": "false"}
_IN_SYNC = "min.insync.replicas"
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})


class KafkaTopics:
    """Asks and tells the brokers about topics. Every wait is bounded by `request_timeout_ms`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._faults = Faults()
        self._timeout_s = settings.request_timeout_ms / 1000
        with kafka_errors(settings, "making an admin client"):
            self._admin = AdminClient(admin_config(settings) | {"error_cb": self._faults.note})

    def create(self, topics: Sequence[Topic]) -> list[str]:
        """Make those that are missing, then check all; returns the names of the new ones.

        Idempotent, and several processes may do it at once. Raises as `check` does.
        """
        metadata = self._metadata()
        missing = [topic for topic in topics if topic.name not in metadata.topics]
        replicas, in_sync = self._replication(metadata)
        if missing:
            new = [
                NewTopic(t.name, t.partitions, replicas, config={**self._made_with(t), _IN_SYNC: str(in_sync)})
                for t in missing
            ]
            made = self._admin.create_topics(new, operation_timeout=self._timeout_s, request_timeout=self._timeout_s)
            for topic in missing:
                self._made(topic, made[topic.name])
        self._refuse_wrong(topics, self._metadata_with([topic.name for topic in topics]))
        return [topic.name for topic in missing]

    def check(self, topics: Sequence[Topic]) -> None:
        """Refuse topics that are missing or wrong, all of them at once, each with what mends it.

        Raises ConfigurationError, and JournalUnavailable where no broker answers in time.
        """
        self._refuse_wrong(topics, self._metadata())

    def _refuse_wrong(self, topics: Sequence[Topic], metadata: ClusterMetadata) -> None:
        problems: list[str] = []
        there = []
        for topic in topics:
            found = metadata.topics.get(topic.name)
            if found is None or found.error is not None:
                problems.append(self._missing(topic))
            else:
                there.append(topic)
                problems += self._wrong_partitions(topic, found)
        replicated = len(metadata.brokers) >= REPLICATED_BROKERS_MIN
        found_settings = self._found_settings([topic.name for topic in there])
        for topic in there:
            wanted = topic if not replicated else self._in_sync(topic, metadata.topics[topic.name])
            problems += self._wrong_settings(wanted, found_settings[topic.name])
            problems += self._wrong_replicas(topic, metadata.topics[topic.name], replicated)
        if problems:
            raise ConfigurationError(problems[0] if len(problems) == 1 else f"topics are wrong:\n{listed(problems)}")

    def id_of(self, name: str) -> str:
        """The id of the topic's incarnation. Raises ConfigurationError where there is none of this name.

        Metadata are asked for first: any broker tells them, and they say which controller is alive. A question that
        waits for a dead one makes the client connect to it hundreds of times a second.
        """
        from confluent_kafka import TopicCollection

        within_s = min(self._timeout_s, ID_SECONDS)
        with kafka_errors(self._settings, f"describing topic {name}", self._faults):
            self._admin.list_topics(name, timeout=within_s)
            asked = self._admin.describe_topics(TopicCollection([name]), request_timeout=within_s)
            found = str(asked[name].result(within_s + ANSWER_SECONDS).topic_id)
            self._faults.succeeded()
            return found

    # -- questions -----------------------------------------------------------------------------------------------------
    def _metadata(self) -> ClusterMetadata:
        """Brokers and topics. What the client knows of a refusal is looked at between short waits."""
        doing = "asking for brokers and topics"
        give_up = time.monotonic() + self._timeout_s
        while True:
            try:
                metadata = self._admin.list_topics(timeout=max(min(ASK_SECONDS, give_up - time.monotonic()), 0.05))
            except FOREIGN_ERRORS as error:
                self._admin.poll(0)
                is_hopeless = is_for_good(kafka_error(error)) or self._faults.refusal is not None
                if is_hopeless or time.monotonic() > give_up:
                    raise our_error(error, self._settings, doing, self._faults) from error
            else:
                self._faults.succeeded()
                return metadata

    def _metadata_with(self, names: Sequence[str]) -> ClusterMetadata:
        """As `_metadata`, once topics that were made a moment ago are known everywhere and have leaders."""
        give_up = time.monotonic() + self._timeout_s
        while True:
            metadata = self._metadata()
            found = [metadata.topics[name] for name in names if name in metadata.topics]
            led = all(topic.partitions and all(p.leader >= 0 for p in topic.partitions.values()) for topic in found)
            if (led and len(found) == len(names)) or time.monotonic() > give_up:
                return metadata
            time.sleep(LOOK_SECONDS)

    def _found_settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Of topics that some broker knows; one that was made a moment ago may be unknown to the one that is asked."""
        give_up = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._settings_now(names)
            except ConfigurationError as error:
                found = kafka_error(error.__cause__) if error.__cause__ is not None else None
                is_unknown = found is not None and found.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
                if not is_unknown or time.monotonic() > give_up:
                    raise
            time.sleep(LOOK_SECONDS)

    def _settings_now(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        with kafka_errors(self._settings, f"asking for the settings of {', '.join(names)}", self._faults):
            asked = self._admin.describe_configs(resources, request_timeout=self._timeout_s)
            found: dict[str, dict[str, str]] = {}
            for resource, future in asked.items():
                entries = future.result(self._timeout_s + ANSWER_SECONDS)
                found[resource.name] = {name: entry.value for name, entry in entries.items()}
            return found

    # -- making --------------------------------------------------------------------------------------------------------
    def _made_with(self, topic: Topic) -> dict[str, str]:
        """A new topic takes any record that a producer of ours sends."""
        most = {name: str(self._settings.record_bytes_max) for name in topic.at_least}
        return {**topic.advised, **topic.settings, **most}

    def _made(self, topic: Topic, future: Future[Any]) -> None:
        try:
            with kafka_errors(self._settings, f"making topic {topic.name}", self._faults):
                future.result(self._timeout_s + ANSWER_SECONDS)
        except (ConfigurationError, JournalUnavailable) as error:
            cause = error.__cause__
            found = kafka_error(cause) if isinstance(cause, KafkaException) else None
            if found is not None and found.code() == KafkaError.TOPIC_ALREADY_EXISTS:  # made by another, meanwhile
                return
            if found is not None and found.code() in _FORBIDDEN:
                raise JournalRefused(f"{error}. Whoever may can make it: {self._how_to_make(topic)}") from error
            raise

    def _replication(self, metadata: ClusterMetadata) -> tuple[int, int]:
        """Replicas of a new topic, and how many must be in sync."""
        by_brokers = REPLICATED_BROKERS_MIN if len(metadata.brokers) >= REPLICATED_BROKERS_MIN else 1
        replicas = self._settings.replication_factor or by_brokers
        return replicas, self._settings.in_sync_min or (2 if replicas >= REPLICATED_BROKERS_MIN else 1)

    # -- what is wrong -------------------------------------------------------------------------------------------------
    def _missing(self, topic: Topic) -> str:
        return (
            f"topic {topic.name} is not there, at {self._settings.listener}: run `shardlog admin init`, which makes it"
        )

    def _how_to_make(self, topic: Topic) -> str:
        kept = " ".join(f"--config {name}={value}" for name, value in self._made_with(topic).items())
        arguments = f"--create --topic {topic.name} --partitions {topic.partitions} {kept}"
        return self._command("kafka-topics.sh", arguments)

    def _wrong_partitions(self, topic: Topic, found: TopicMetadata) -> list[str]:
        count = len(found.partitions)
        if count == topic.partitions:
            return []
        return [
            f"topic {topic.name} has {count} partition(s), and {topic.partitions} are needed, one a shard: set the "
            "number of shards that the journal was made with, or name another journal (kafka setting journal). "
            "Partitions that are added later would move ids"
        ]

    def _wrong_replicas(self, topic: Topic, found: TopicMetadata, is_replicated: bool) -> list[str]:
        least = self._settings.replication_factor or (REPLICATED_BROKERS_MIN if is_replicated else 1)
        fewest = min((len(part.replicas) for part in found.partitions.values()), default=least)
        if fewest >= least:
            return []
        step = self._command("kafka-reassign-partitions.sh", "--execute --reassignment-json-file FILE")
        return [f"topic {topic.name} has {fewest} replica(s), and {least} are needed: add some: {step}"]

    def _in_sync(self, topic: Topic, found: TopicMetadata) -> Topic:
        least = self._settings.in_sync_min or 2
        return topic._replace(settings={**topic.settings, _IN_SYNC: str(least)}, at_least=topic.at_least | {_IN_SYNC})

    def _wrong_settings(self, topic: Topic, found: Mapping[str, str]) -> list[str]:
        problems = []
        for name, needed in topic.settings.items():
            value = found.get(name)
            if value != needed and not (name in topic.at_least and _number(value) >= int(needed)):
                more = " or more" if name in topic.at_least else ""
                change = f"--alter --entity-type topics --entity-name {topic.name} --add-config {name}={needed}"
                step = self._command("kafka-configs.sh", change)
                problems.append(f"topic {topic.name}: {name} is {value}, and must be {needed}{more}: {step}")
        return problems

    def _command(self, program: str, arguments: str) -> str:
        return f"{program} --bootstrap-server {self._settings.bootstrap_servers} {arguments}"


def _number(text: str | None) -> int:
    """What the brokers say, as a number; -1 where it is none."""
    return int(text) if text is not None and text.isdigit() else -1
