"""The schema registry port: schemas by the id that a framed value begins with.

Every adapter passes `shardlog.testing.contracts.schema_registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class SchemaRegistry(ABC):
    """Avro schemas by id, and by subject: all that was ever written under one name. Methods may be called from any
    thread.

    A schema is its JSON text. Methods raise RegistryUnavailable where trying again may help, RegistryFailed where it
    does not, and SchemaError for a text that is no schema. They wait no longer than the adapter's time-outs.
    """

    @abstractmethod
    def register(self, subject: str, schema: str) -> int:
        """The schema's id, 0 to 2^31-1, under this subject; the same again for the same schema.

        Raises SchemaRefused where the subject's rules do not let it follow the schemas before it, and SchemaUnknown
        where schemas are not registered from here.
        """

    @abstractmethod
    def find(self, subject: str, schema: str) -> int | None:
        """The schema's id where it is registered under this subject."""

    @abstractmethod
    def schema(self, id: int) -> str:
        """The schema of an id. Raises SchemaUnknown."""

    @abstractmethod
    def incompatibility(self, subject: str, schema: str) -> str | None:
        """Why `register` would refuse this schema, in the registry's words; None where it would not."""

    @abstractmethod
    def close(self) -> None:
        """Free connections. Idempotent."""
