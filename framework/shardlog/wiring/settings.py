"""Settings from `shardlog.toml`: which domains and projections, where the journal is, the executor's limits."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.executor.limits import Limits
from shardlog.model.names import closest
from shardlog.sharding import SHARDS_MAX

Reference = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="module:name")]


class ApplicationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the application is made of, each as `module:name`."""

    domains: tuple[Reference, ...]
    projections: tuple[Reference, ...] = ()


class JournalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the journal is. shards: of a new journal; an old one must have as many."""

    directory: str = "var/shardlog"
    shards: Annotated[int, msgspec.Meta(ge=1, le=SHARDS_MAX)] = 4


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `shardlog.toml`."""

    application: ApplicationSettings
    journal: JournalSettings = JournalSettings()
    executor: Limits = Limits()


def load_settings(path: Path) -> Settings:
    """Read the file. Raises ConfigurationError, which names the file, the setting and what is allowed."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}; name the file that has the settings"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    for section, settings in found.items():
        _refuse_unknown(path, section, settings)
    try:
        return msgspec.convert(found, Settings)
    except (msgspec.ValidationError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _refuse_unknown(path: Path, section: str, settings: object) -> None:
    """Say which setting is unknown, and what it may have been meant to be."""
    sections = {"application": ApplicationSettings, "journal": JournalSettings, "executor": Limits}
    if section not in sections:
        known = ", ".join(f"[{name}]" for name in sections)
        raise ConfigurationError(f"{path}: [{section}] is no section{closest(section, sections)}; there are: {known}")
    known_names = sections[section].__struct_fields__
    for name in settings if isinstance(settings, dict) else ():
        if name not in known_names:
            raise ConfigurationError(
                f"{path}: [{section}] has no setting {name!r}{closest(name, known_names)}; "
                f"it has: {', '.join(known_names)}"
            )
