"""What every schema registry must do: subclass SchemaRegistryContract in a test and say how to open it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from uuid import uuid4

import pytest

from shardlog import Event
from shardlog.avro.canonical import canonical, read_schema
from shardlog.avro.framing import ID_MAX
from shardlog.avro.messages import MessageAvro
from shardlog.errors import SchemaError, SchemaUnknown
from shardlog.ports.schema_registry import SchemaRegistry


class Lit(Event):
    watts: int


class Dimmed(Event):
    """To what is left."""

    watts: int
    by: str | None = None


LIT, DIMMED = MessageAvro("lamp", Lit).text, MessageAvro("lamp", Dimmed).text


class SchemaRegistryContract:
    """The contract. The schemas LIT and DIMMED may be registered, under any subject."""

    @abstractmethod
    def open(self) -> SchemaRegistry:
        """A registry; called again, another client of the same one."""

    @pytest.fixture
    def registry(self) -> Iterator[SchemaRegistry]:
        """A registry."""
        registry = self.open()
        yield registry
        registry.close()

    @pytest.fixture
    def subject(self) -> str:
        """A subject that no other test has."""
        return f"a topic/{uuid4()}-lamp.events"

    def test_a_schema_is_found_by_the_id_that_it_was_given(self, registry: SchemaRegistry, subject: str) -> None:
        id = registry.register(subject, LIT)
        assert 0 <= id <= ID_MAX
        assert canonical(read_schema(registry.schema(id), "it")) == canonical(read_schema(LIT, "it"))

    def test_the_same_schema_has_the_same_id_again_and_for_another_client(
        self, registry: SchemaRegistry, subject: str
    ) -> None:
        id = registry.register(subject, LIT)
        other = self.open()
        assert registry.register(subject, LIT) == other.register(subject, LIT) == other.find(subject, LIT) == id
        other.close()

    def test_two_schemas_have_two_ids(self, registry: SchemaRegistry, subject: str) -> None:
        assert registry.register(f"{subject}.1", LIT) != registry.register(f"{subject}.2", DIMMED)

    def test_a_registered_schema_would_not_be_refused(self, registry: SchemaRegistry, subject: str) -> None:
        registry.register(subject, LIT)
        assert registry.incompatibility(subject, LIT) is None

    def test_a_schema_that_nobody_registered_is_not_found(self, registry: SchemaRegistry, subject: str) -> None:
        unknown = LIT.replace("watts", f"w{uuid4().hex}")
        assert registry.find(subject, unknown) is None

    @pytest.mark.parametrize("id", [0, 987_654_321, ID_MAX])
    def test_an_unknown_id_is_said_to_be_unknown(self, id: int, registry: SchemaRegistry) -> None:
        with pytest.raises(SchemaUnknown, match=str(id)):
            registry.schema(id)

    def test_what_is_no_schema_is_refused(self, registry: SchemaRegistry, subject: str) -> None:
        with pytest.raises(SchemaError):
            registry.register(subject, "no schema")

    def test_closing_twice_is_as_closing_once(self) -> None:
        registry = self.open()
        registry.close()
        registry.close()
