"""The folder of Avro schemas: a file for each message, and one for each id that a value may be framed with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shardlog.avro.canonical import canonical, read_schema, schema_id
from shardlog.avro.evolution import StoredSchemas
from shardlog.avro.messages import MessageAvro
from shardlog.errors import RegistryFailed, SchemaError, SchemaUnknown
from shardlog.ports.schema_registry import SchemaRegistry

IDS = "ids"
EXPORT = "Write the schemas with `shardlog schema export` and deploy them with the code."


def read_schemas(directory: Path) -> StoredSchemas:
    """All that stands there; nothing where there is no such folder. Raises SchemaError for what cannot be read."""
    try:
        files = sorted(directory.glob("*/*/*.avsc"))
        by_path = {str(file.relative_to(directory).as_posix()): file.read_text("utf-8") for file in files}
        ids = sorted((directory / IDS).glob("*.avsc"))
        by_id = {_id_of(file): file.read_text("utf-8") for file in ids}
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"the schemas in {directory} cannot be read: {error}") from error
    for id, text in by_id.items():
        if schema_id(read_schema(text, f"{IDS}/{id}.avsc")) != id:
            raise SchemaError(
                f"{directory}/{IDS}/{id}.avsc is not the schema of its id: it was edited. Take it from version control."
            )
    return StoredSchemas(by_path, by_id)


def write_schemas(directory: Path, messages: Iterable[MessageAvro[Any]]) -> list[str]:
    """Store these, and give the paths of the files that were not as they are now. Raises SchemaError."""
    written = []
    try:
        for message in messages:
            for path in (f"{IDS}/{message.id}.avsc", message.name.path):
                file = directory / path
                if not file.exists() or file.read_text("utf-8") != message.text:
                    _replace(file, message.text)
                    written.append(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"the schemas cannot be written to {directory}: {error}") from error
    return written


class FolderRegistry(SchemaRegistry):
    """The folder as a registry: ids are the schemas' fingerprints, so nothing is registered at run time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def register(self, subject: str, schema: str) -> int:
        """The id, where the schema was exported. Raises SchemaUnknown where it was not."""
        found = self.find(subject, schema)
        if found is None:
            raise SchemaUnknown(f"the schema of {subject} does not stand in {self._directory}. {EXPORT}")
        return found

    def find(self, subject: str, schema: str) -> int | None:
        parsed = read_schema(schema, subject)
        id = schema_id(parsed)
        known = self._text(id)
        return (
            id if known is not None and canonical(read_schema(known, f"{IDS}/{id}.avsc")) == canonical(parsed) else None
        )

    def schema(self, id: int) -> str:
        found = self._text(id)
        if found is None:
            raise SchemaUnknown(f"no schema has the id {id} in {self._directory}/{IDS}. {EXPORT}")
        return found

    def incompatibility(self, subject: str, schema: str) -> str | None:
        """None: `shardlog schema check` says it, and an export refuses it."""
        read_schema(schema, subject)
        return None

    def close(self) -> None: ...

    def _text(self, id: int) -> str | None:
        file = self._directory / IDS / f"{id}.avsc"
        try:
            return file.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise RegistryFailed(f"{file} cannot be read: {error}") from error


def _id_of(file: Path) -> int:
    if not file.stem.isdecimal():
        raise SchemaError(f"{file} is named after no id: delete it, and export again")
    return int(file.stem)


def _replace(file: Path, text: str) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    beside.replace(file)
