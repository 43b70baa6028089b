"""What every object store must do: subclass ObjectStoreContract in a test module and say how to open the store."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator

import pytest

from shardlog.errors import ObjectExists, ObjectMissing
from shardlog.ports.objects import KEY_CHARACTERS_MAX, ObjectStore, StoredObject

MEBIBYTE = 1024 * 1024
BAD_KEYS = ["", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.hidden", "a b", "a\n", "ä", "a\\b"]


class Interrupted(Exception):
    """What ends the chunks of a value in the middle."""


class ObjectStoreContract:
    """Written once, whole or not at all, read back as it was, listed by prefix."""

    big_bytes = 24 * MEBIBYTE

    @abstractmethod
    def open(self) -> ObjectStore:
        """The store, empty at the beginning of a test; the same place at every call of one test."""

    @pytest.fixture
    def store(self) -> Iterator[ObjectStore]:
        store = self.open()
        yield store
        store.close()

    def value(self, store: ObjectStore, key: str) -> bytes:
        """All of a value."""
        return b"".join(store.get(key))

    # -- putting and getting -------------------------------------------------------------------------------------------
    def test_a_value_is_read_back_as_its_chunks_in_order(self, store: ObjectStore) -> None:
        store.put("a/b-1/c.data", [b"one", b"", b"two\x00\xff"])
        assert self.value(store, "a/b-1/c.data") == b"onetwo\x00\xff"

    @pytest.mark.parametrize("chunks", [[], [b""]])
    def test_a_value_may_be_empty(self, store: ObjectStore, chunks: list[bytes]) -> None:
        store.put("empty", chunks)
        assert self.value(store, "empty") == b""
        assert store.list("") == [StoredObject("empty", 0)]

    def test_a_value_may_be_large_and_is_taken_from_an_iterator(self, store: ObjectStore) -> None:
        made = [bytes([n]) * MEBIBYTE for n in range(self.big_bytes // MEBIBYTE)]
        store.put("big", iter(made))
        assert self.value(store, "big") == b"".join(made)
        assert store.list("big") == [StoredObject("big", self.big_bytes)]

    def test_a_key_without_a_value_is_missing(self, store: ObjectStore) -> None:
        store.put("a/b", [b"1"])
        for key in ("none", "a", "a/b/c", "a/c"):
            with pytest.raises(ObjectMissing, match=key):
                self.value(store, key)

    def test_a_value_stands_when_the_store_is_opened_again(self, store: ObjectStore) -> None:
        store.put("a/b", [b"1"])
        again = self.open()
        assert self.value(again, "a/b") == b"1"
        again.close()

    # -- written once --------------------------------------------------------------------------------------------------
    def test_a_key_is_written_once(self, store: ObjectStore) -> None:
        store.put("a", [b"first"])
        with pytest.raises(ObjectExists, match="a"):
            store.put("a", [b"second"])
        assert self.value(store, "a") == b"first"

    def test_of_many_who_write_a_key_at_once_one_does(self, store: ObjectStore) -> None:
        begin = threading.Barrier(6)
        written: list[int] = []
        refused: list[int] = []

        def write(number: int) -> None:
            begin.wait()
            try:
                store.put("raced", [b"%d" % number] * 100)
                written.append(number)
            except ObjectExists:
                refused.append(number)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(written) == 1
        assert len(refused) == 5
        assert self.value(store, "raced") == b"%d" % written[0] * 100

    def test_a_deleted_key_may_be_written_again(self, store: ObjectStore) -> None:
        store.put("a", [b"first"])
        store.delete("a")
        store.put("a", [b"second"])
        assert self.value(store, "a") == b"second"

    # -- whole or not at all -------------------------------------------------------------------------------------------
    def test_nothing_is_seen_of_a_value_before_it_is_whole(self, store: ObjectStore) -> None:
        seen: list[list[StoredObject]] = []

        def chunks() -> Iterator[bytes]:
            yield b"x" * MEBIBYTE
            seen.append(store.list(""))
            yield b"y"

        store.put("a/whole", chunks())
        assert seen == [[]]
        assert [stored.key for stored in store.list("")] == ["a/whole"]

    def test_a_value_whose_chunks_end_in_an_exception_is_not_stored(self, store: ObjectStore) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"x" * MEBIBYTE
            raise Interrupted

        with pytest.raises(Interrupted):
            store.put("a/torn", chunks())
        assert store.list("") == []
        store.put("a/torn", [b"whole"])
        assert self.value(store, "a/torn") == b"whole"

    # -- listing and deleting ------------------------------------------------------------------------------------------
    def test_keys_are_listed_by_prefix_in_order_with_sizes(self, store: ObjectStore) -> None:
        for key, size in (("j/0001/b.x", 1), ("j/0000/b", 2), ("j/0000/a", 3), ("j/00001", 4), ("k", 5)):
            store.put(key, [b"x" * size])
        assert store.list("j/0000/") == [StoredObject("j/0000/a", 3), StoredObject("j/0000/b", 2)]
        assert [s.key for s in store.list("j/0000")] == ["j/0000/a", "j/0000/b", "j/00001"]
        assert [s.key for s in store.list("")] == ["j/0000/a", "j/0000/b", "j/00001", "j/0001/b.x", "k"]
        assert store.list("none/") == []
        assert store.list("k/") == []

    def test_deleting_twice_is_no_error(self, store: ObjectStore) -> None:
        store.put("a/b", [b"1"])
        store.put("a/c", [b"2"])
        for _ in range(2):
            store.delete("a/b")
        store.delete("never/there")
        assert [stored.key for stored in store.list("")] == ["a/c"]

    @pytest.mark.parametrize("key", [*BAD_KEYS, "a" * (KEY_CHARACTERS_MAX + 1)])
    def test_a_text_that_is_no_key_is_refused(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(ValueError, match="no key"):
            store.put(key, [b"1"])
        with pytest.raises(ValueError, match="no key"):
            self.value(store, key)
        with pytest.raises(ValueError, match="no key"):
            store.delete(key)
        assert store.list("") == []

    def test_close_may_be_called_twice(self) -> None:
        store = self.open()
        store.close()
        store.close()
