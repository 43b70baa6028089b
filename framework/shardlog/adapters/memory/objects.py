"""Objects in memory: the object store's contract over a dictionary, for tests and simulations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock

from shardlog.errors import ObjectExists, ObjectMissing
from shardlog.ports.objects import ObjectStore, StoredObject, check_key


class MemoryObjects(ObjectStore):
    """Durable as long as the process. Stores made of the same dictionary hold the same objects."""

    def __init__(self, values: dict[str, bytes] | None = None) -> None:
        self._values: dict[str, bytes] = {} if values is None else values
        self._lock = Lock()

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        check_key(key)
        if key in self._values:
            raise _exists(key)
        value = b"".join(chunks)
        with self._lock:
            if key in self._values:
                raise _exists(key)
            self._values[key] = value

    def get(self, key: str) -> Iterator[bytes]:
        check_key(key)
        value = self._values.get(key)
        if value is None:
            raise ObjectMissing(f"object {key} is not there")
        return iter((value,))

    def list(self, prefix: str) -> list[StoredObject]:
        with self._lock:
            return [
                StoredObject(key, len(value)) for key, value in sorted(self._values.items()) if key.startswith(prefix)
            ]

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            self._values.pop(key, None)

    def close(self) -> None:
        """Nothing to free."""


def _exists(key: str) -> ObjectExists:
    return ObjectExists(f"object {key} is there, and objects are written once")
