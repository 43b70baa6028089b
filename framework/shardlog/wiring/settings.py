"""Every setting there is, by section: what may stand in `shardlog.toml` and in the environment, and its default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

import msgspec

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError
from shardlog.executor.limits import Duration
from shardlog.executor.limits import Limits as ExecutorLimits
from shardlog.gateway.settings import GatewaySettings
from shardlog.ownership.settings import OwnershipSettings
from shardlog.projector.settings import ProjectionSettings
from shardlog.projector.worker import Limits as ProjectorLimits
from shardlog.query.settings import QuerySettings
from shardlog.ranges import check_ranges
from shardlog.relay.limits import PublisherLimits, RelayLimits
from shardlog.sharding import SHARDS_MAX
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.telemetry.settings import LoggingSettings, MetricsSettings

Reference: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class ApplicationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the application is made of."""

    domains: tuple[Reference, ...] = ()
    """The domains, each as `module:name`."""
    projections: tuple[Reference, ...] = ()
    """The projections, each as `module:name`."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the journal is."""

    directory: Name = "var/shardlog"
    """Holds journal, tables and snapshots; a relative one begins where shardlog.toml is."""
    shards: Annotated[int, msgspec.Meta(ge=1, le=SHARDS_MAX)] = 4
    """Shards of a new journal; an old one must have as many."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "journal")


class RecoverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a start and an end go."""

    serve_within_ms: Duration = 600_000
    """How long all shards may take until they serve."""
    drain_deadline_ms: Duration = 30_000
    """How long what was taken may take to be acknowledged at the end."""
    validate_on_start: Literal["changed", "always", "never"] = "changed"
    """When a start replays with the code at hand and compares states; changed: where the code is another now."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "recovery")


class SchemaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the Avro schemas of messages are, and the ids that values in Avro begin with."""

    directory: Name = "schemas/avro"
    """Holds the schemas that `shardlog schema` writes and checks; a relative one begins where shardlog.toml is."""
    registry_url: str = ""
    """A schema registry with Confluent's API, which gives the ids; empty: the folder does, by fingerprint."""
    registry_user: str = ""
    """Who asks there, by basic authentication; empty: nobody in particular."""
    registry_password_file: str = ""
    """The file that holds the password, so that it stands in no setting."""
    registry_ca_file: str = ""
    """The file with the certificates of whoever signed the registry's; empty: those that Python trusts."""
    registry_timeout_ms: Duration = 10_000
    """How long one question to the registry may take."""
    registers: bool = True
    """Whether a schema that the registry lacks is registered when it is needed; else somebody does it before."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "schemas")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All of them. The field's name is the section's."""

    application: ApplicationSettings = ApplicationSettings()
    journal: JournalSettings = JournalSettings()
    kafka: KafkaSettings = KafkaSettings()
    ownership: OwnershipSettings = OwnershipSettings()
    executor: ExecutorLimits = ExecutorLimits()
    projections: ProjectionSettings = ProjectionSettings()
    projector: ProjectorLimits = ProjectorLimits()
    relay: RelayLimits = RelayLimits()
    publisher: PublisherLimits = PublisherLimits()
    snapshots: SnapshotSettings = SnapshotSettings()
    recovery: RecoverySettings = RecoverySettings()
    gateway: GatewaySettings = GatewaySettings()
    query: QuerySettings = QuerySettings()
    schemas: SchemaSettings = SchemaSettings()
    metrics: MetricsSettings = MetricsSettings()
    logging: LoggingSettings = LoggingSettings()

    @property
    def directory(self) -> Path:
        """The journal's directory."""
        return Path(self.journal.directory)


def refuse_kafka(settings: Settings, what: str) -> None:
    """Refuse settings that name a journal on Kafka, where `what` works on one in a directory.

    Raises ConfigurationError.
    """
    if settings.kafka.bootstrap_servers:
        raise ConfigurationError(
            f"kafka setting bootstrap_servers is {settings.kafka.bootstrap_servers!r}, so the journal is on Kafka, and "
            f"{what} one in a directory: leave the setting empty, or use `shardlog serve`"
        )


class Origin(NamedTuple):
    """Where a setting's value comes from. place: the file, or the variable; empty for a default."""

    kind: Literal["default", "file", "environment"]
    place: str = ""

    def __str__(self) -> str:
        return self.place if self.kind == "file" else f"{self.kind} {self.place}".rstrip()


class Loaded(NamedTuple):
    """Settings, and where each is from, by section and name. folder: what relative paths begin at, and imports."""

    settings: Settings
    origins: Mapping[tuple[str, str], Origin]
    folder: Path


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "application": ApplicationSettings,
    "journal": JournalSettings,
    "kafka": KafkaSettings,
    "ownership": OwnershipSettings,
    "executor": ExecutorLimits,
    "projections": ProjectionSettings,
    "projector": ProjectorLimits,
    "relay": RelayLimits,
    "publisher": PublisherLimits,
    "snapshots": SnapshotSettings,
    "recovery": RecoverySettings,
    "gateway": GatewaySettings,
    "query": QuerySettings,
    "schemas": SchemaSettings,
    "metrics": MetricsSettings,
    "logging": LoggingSettings,
}
"""By name, in the order in which they are shown."""


def load_settings(path: str | Path) -> Settings:
    """The settings of this file and of the environment. Raises ConfigurationError, with every problem and its place."""
    from shardlog.wiring.setting_sources import load

    return load(Path(path)).settings
