"""From the settings to the schema registry that they mean: a server, or the folder."""

from __future__ import annotations

from pathlib import Path

from shardlog.errors import ConfigurationError
from shardlog.ports.schema_registry import SchemaRegistry
from shardlog.wiring.settings import SchemaSettings


def open_registry(settings: SchemaSettings, folder: Path) -> SchemaRegistry:
    """The registry. folder: what relative paths begin at. Raises ConfigurationError."""
    try:
        from shardlog.adapters.filesystem.schemas import FolderRegistry
        from shardlog.adapters.registry.confluent import ConfluentRegistry, RegistryAccess
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"there is no module {error.name!r}: pip install 'shardlog[avro]'") from error
    if not settings.registry_url:
        return FolderRegistry(folder / settings.directory)
    access = RegistryAccess(
        url=settings.registry_url,
        user=settings.registry_user,
        password=_password(settings, folder),
        ca_file=str(folder / settings.registry_ca_file) if settings.registry_ca_file else "",
        timeout_ms=settings.registry_timeout_ms,
    )
    return ConfluentRegistry(access)


def _password(settings: SchemaSettings, folder: Path) -> str:
    if not settings.registry_password_file:
        return ""
    file = folder / settings.registry_password_file
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"schemas setting registry_password_file, {file}, cannot be read: {error}") from error
