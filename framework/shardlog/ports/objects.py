"""The object store port: whole values under keys, written once and never changed.

It asks for no more than S3, Azure Blob Storage and a folder can do: a conditional put of a value of any size, reading
it back in pieces, listing by prefix, deleting. Every adapter passes `shardlog.testing.contracts.objects`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple

KEY_CHARACTERS_MAX = 500
_is_key = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*").fullmatch


class StoredObject(NamedTuple):
    """One key that holds a value. bytes: its size."""

    key: str
    bytes: int


class ObjectStore(ABC):
    """Values by key. Methods may be called from any thread.

    A key is parts of `A-Z a-z 0-9 _ . -` joined by `/`, none of them empty or beginning with a dot, at most
    KEY_CHARACTERS_MAX characters in all. No key may go on where another one ends with a `/`: a folder is no file.
    Methods raise ValueError for another key, and ObjectStoreFailed where the store cannot do what is asked:
    unreachable, full, without permission, damaged. Adapters retry what is worth it themselves.
    """

    @abstractmethod
    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        """Store the chunks, one behind the other, as the value of a new key; durable when this returns.

        Nobody sees a part of a value: where this raises, or where iterating the chunks does, the key holds nothing. A
        value may be larger than memory. Raises ObjectExists for a key that holds a value, which stays as it is.
        """

    @abstractmethod
    def get(self, key: str) -> Iterator[bytes]:
        """The value in pieces of the adapter's choice. Raises ObjectMissing, at once or while it is read."""

    @abstractmethod
    def list(self, prefix: str) -> list[StoredObject]:
        """All keys that begin with the prefix (`""`: all), in the order of their characters, with sizes."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Forget a key and its value. A key that holds none is no error."""

    @abstractmethod
    def close(self) -> None:
        """Free connections and files. Idempotent."""


def check_key(key: str) -> None:
    """Refuse a text that is no key. Raises ValueError."""
    if len(key) > KEY_CHARACTERS_MAX or _is_key(key) is None:
        raise ValueError(
            f"{key[:120]!r} is no key of an object store: up to {KEY_CHARACTERS_MAX} of A-Z a-z 0-9 _ . - in parts "
            "joined by '/', none of them empty or beginning with a dot"
        )
