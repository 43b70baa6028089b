"""The folder of schemas keeps the registry's contract, and refuses what was edited, lost or taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog import Event
from shardlog.adapters.filesystem.schemas import FolderRegistry, read_schemas, write_schemas
from shardlog.avro.messages import MessageAvro
from shardlog.errors import SchemaError, SchemaUnknown
from shardlog.ports.schema_registry import SchemaRegistry
from shardlog.testing.contracts.schema_registry import Dimmed, Lit, SchemaRegistryContract

MESSAGES = [MessageAvro("lamp", Lit), MessageAvro("lamp", Dimmed)]


class Broken(Event): ...


class TestFolder(SchemaRegistryContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path
        write_schemas(tmp_path, MESSAGES)

    def open(self) -> SchemaRegistry:
        return FolderRegistry(self.path)

    def test_a_schema_that_was_not_exported_is_refused_with_what_to_do(self) -> None:
        with pytest.raises(SchemaUnknown, match="shardlog schema export"):
            self.open().register("t-lamp.events.BrokenV1", MessageAvro("lamp", Broken).text)

    def test_writing_again_writes_nothing(self) -> None:
        assert write_schemas(self.path, MESSAGES) == []

    def test_nothing_but_whole_files_is_left(self) -> None:
        assert all(file.suffix == ".avsc" for file in self.path.rglob("*") if file.is_file())

    def test_a_file_of_an_id_that_was_edited_is_refused(self) -> None:
        file = self.path / "ids" / f"{MESSAGES[0].id}.avsc"
        file.write_text(file.read_text().replace("watts", "volts"))
        with pytest.raises(SchemaError, match=r"not the schema of its id"):
            read_schemas(self.path)

    @pytest.mark.parametrize("content", [b"{", b"[]", b'"string"', b'{"type":"record","name":"A"}', b"\xff"])
    def test_a_file_that_is_no_schema_is_named(self, content: bytes) -> None:
        (self.path / "ids" / "5.avsc").write_bytes(content)
        with pytest.raises(SchemaError, match=r"ids/5\.avsc|cannot be read"):
            read_schemas(self.path)

    def test_a_file_that_is_named_after_no_id_is_refused(self) -> None:
        (self.path / "ids" / "five.avsc").write_text("{}")
        with pytest.raises(SchemaError, match="named after no id"):
            read_schemas(self.path)
