"""What every archive must do: subclass ArchiveContract in a test module and say how records get into it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from shardlog.ports.archive import Archive

Records: TypeAlias = Mapping[int, Sequence[tuple[int, bytes]]]
"""Offsets and values, by shard."""
SOME: Records = {0: [(0, b"a"), (1, b""), (2, b"\x00\xff" * 1000)], 2: [(0, b"of shard 2"), (7, b"behind a hole")]}


class ArchiveContract:
    """Whole records in order, from any offset on, and how far they go."""

    @abstractmethod
    def holding(self, records: Records) -> Archive:
        """An archive into which these records, and no others, were put."""

    def read(self, archive: Archive, shard: int, start: int) -> list[tuple[int, bytes]]:
        """All from there on."""
        return list(archive.read(shard, start))

    def test_records_are_read_back_as_they_were(self) -> None:
        archive = self.holding(SOME)
        assert self.read(archive, 0, 0) == list(SOME[0])
        assert self.read(archive, 2, 0) == list(SOME[2])
        archive.close()

    def test_reading_begins_at_any_offset(self) -> None:
        archive = self.holding(SOME)
        assert self.read(archive, 0, 1) == list(SOME[0][1:])
        assert self.read(archive, 2, 3) == [(7, b"behind a hole")]
        assert self.read(archive, 0, 3) == []
        archive.close()

    def test_it_says_from_where_on_nothing_is_archived(self) -> None:
        archive = self.holding(SOME)
        assert archive.archived(0) == 3
        assert archive.archived(2) == 8
        archive.close()

    def test_a_shard_without_records_is_not_archived(self) -> None:
        archive = self.holding(SOME)
        assert archive.archived(1) == 0
        assert self.read(archive, 1, 0) == []
        archive.close()

    def test_close_may_be_called_twice(self) -> None:
        archive = self.holding({})
        archive.close()
        archive.close()
