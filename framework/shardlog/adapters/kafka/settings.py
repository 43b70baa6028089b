"""Every setting of a journal on Kafka: addresses, security, topics, and how long anything may take."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.ranges import Secret, check_ranges, field_types, is_secret

TopicName: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
Milliseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]
RECORD_OVERHEAD_BYTES = 1_024
"""What a record has beside its value: the batch's head, lengths, what a compression may add."""


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Kafka is reached, and what a journal's topics are."""

    bootstrap_servers: str = ""
    """Some brokers, each as `host:port`, parted by commas. Empty: the journal is not on Kafka."""
    journal: TopicName = "shardlog"
    """The journal's name: its topics are called `NAME.journal`, `NAME.commands` and so on."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Whether connections are encrypted (SSL), and whether a user is named (SASL)."""
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"
    """How the user is proven, where the protocol has SASL."""
    sasl_user: str = ""
    """The user, where the protocol has SASL."""
    sasl_password: Secret = ""
    """The user's password; best given in the environment."""
    ca_path: str = ""
    """The certificates of trusted authorities, a PEM file; empty: those of the system."""
    certificate_path: str = ""
    """This client's certificate, a PEM file, where brokers ask for one."""
    key_path: str = ""
    """The private key of that certificate, a PEM file."""
    key_password: Secret = ""
    """The password of the private key, where it has one."""
    replication_factor: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    """Replicas of new topics. 0: three where there are three brokers or more, else one."""
    in_sync_min: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    """Replicas that must have a record before it counts. 0: two where there are three replicas, else one."""
    record_bytes_max: Annotated[int, msgspec.Meta(ge=2_048, le=1_000_000_000)] = 2_097_152
    """Bytes of one record of the journal, its overhead included; above the executor's `frame_bytes_max`."""
    compression: Literal["lz4", "zstd", "snappy", "gzip", "none"] = "lz4"
    """How frames are compressed."""
    connect_timeout_ms: Annotated[int, msgspec.Meta(ge=1_000, le=86_400_000)] = 5_000
    """How long a connection may take, with its TLS and SASL."""
    reconnect_back_off_max_ms: Milliseconds = 1_000
    """The longest wait before a lost connection is tried again."""
    request_timeout_ms: Milliseconds = 10_000
    """How long a question to the brokers may take: topics, settings of topics, offsets, truncation."""
    message_timeout_ms: Annotated[int, msgspec.Meta(ge=300_000, le=86_400_000)] = 300_000
    """How long a producer tries one record (rule A1 asks for five minutes); the writer's own deadline is shorter."""
    read_timeout_ms: Milliseconds = 5_000
    """How long a reading may make no progress towards records that are known to be there."""
    fetch_wait_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 500
    """How long a broker holds a fetch when there is nothing new; new records are sent at once."""
    bounds_age_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 1_000
    """After how long an idle reader asks the brokers whether it has missed anything."""
    fetch_bytes_max: Annotated[int, msgspec.Meta(ge=1_024, le=1_000_000_000)] = 8_388_608
    """Bytes that one fetch brings of one shard; a larger record is brought all the same."""
    prefetch_bytes_max: Annotated[int, msgspec.Meta(ge=1_024, le=2_000_000_000)] = 33_554_432
    """Bytes that one reader holds ready."""
    commands_prefetch_bytes_max: Annotated[int, msgspec.Meta(ge=1_024, le=2_000_000_000)] = 8_388_608
    """Bytes of commands that a process holds ready, of each topic; and as many of a shard that is not read on."""
    topic_check_ms: Annotated[int, msgspec.Meta(ge=100, le=3_600_000)] = 1_000
    """How often it is looked whether a topic that commands come from was deleted and made again."""
    readers_max: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4
    """Readers of one shard that are kept open, each where its last reading ended."""
    queue_records_max: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 10_000
    """Records of one shard that wait in the producer; a further one is refused."""
    queue_bytes_max: Annotated[int, msgspec.Meta(ge=1_024, le=2_000_000_000)] = 268_435_456
    """Bytes of these records."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for one out of its range, or for a combination that no broker takes."""
        check_ranges(self, "kafka")
        if self.security_protocol.startswith("SASL") and not self.sasl_user:
            raise ConfigurationError(
                f"kafka setting security_protocol is {self.security_protocol!r}, and sasl_user is empty: name the user"
            )
        if self.sasl_user and not self.security_protocol.startswith("SASL"):
            raise ConfigurationError(
                f"kafka setting sasl_user is {self.sasl_user!r}, and security_protocol {self.security_protocol!r} "
                "names no user: set it to 'SASL_SSL', or leave the user out"
            )
        if bool(self.certificate_path) is not bool(self.key_path):
            raise ConfigurationError("kafka settings certificate_path and key_path go together: set both or none")
        if self.replication_factor and self.in_sync_min > self.replication_factor:
            raise ConfigurationError(
                f"kafka setting in_sync_min is {self.in_sync_min}, and must not exceed replication_factor "
                f"({self.replication_factor})"
            )

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of each, secrets hidden."""
        values = ((name, hint, getattr(self, name)) for name, hint in field_types(type(self)).items())
        return [(name, "***" if is_secret(hint) and value else value) for name, hint, value in values]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    # -- topics --------------------------------------------------------------------------------------------------------
    @property
    def journal_topic(self) -> str:
        """Frames and claims, a partition a shard."""
        return f"{self.journal}.journal"

    @property
    def commands_topic(self) -> str:
        """Commands of producers, a partition a shard."""
        return f"{self.journal}.commands"

    @property
    def sends_topic(self) -> str:
        """Commands of process managers and forwards, a partition a shard; a relay alone may write there."""
        return f"{self.journal}.sends"

    @property
    def control_topic(self) -> str:
        """Meta record, assignments, owners; compacted."""
        return f"{self.journal}.control"

    @property
    def checkpoints_topic(self) -> str:
        """How far the relay has come; compacted."""
        return f"{self.journal}.checkpoints"

    @property
    def replies_topic(self) -> str:
        """Answers to commands that ask for one."""
        return f"{self.journal}.replies"

    @property
    def dead_letters_topic(self) -> str:
        """What nobody could take."""
        return f"{self.journal}.dead-letters"

    def events_topic(self, category: str) -> str:
        """Published events of one category."""
        return f"{self.journal}.events.{category}"

    @property
    def listener(self) -> str:
        """Where and how, for messages."""
        return f"{self.bootstrap_servers} ({self.security_protocol})"

    @property
    def user(self) -> str:
        """Who, for messages."""
        return f"user {self.sasl_user!r}" if self.sasl_user else "without a user"
