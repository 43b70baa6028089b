"""A journal and its archive, read as one: what is cut off at the journal's beginning comes from the archive."""

from __future__ import annotations

from collections.abc import Iterator

from shardlog.errors import Truncated
from shardlog.ports.archive import Archive
from shardlog.ports.journal import Journal, Writer


class StitchedJournal(Journal):
    """For readers that begin where the journal no longer reaches, as a recovery without a snapshot does.

    It writes and truncates the journal alone. An archive that ends before the journal begins is of no use: what stands
    between them is gone, and reading it raises Truncated as it does without an archive. It closes both.
    """

    def __init__(self, journal: Journal, archive: Archive) -> None:
        self._journal = journal
        self._archive = archive

    def writer(self, shard: int) -> Writer:
        return self._journal.writer(shard)

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        """As of Journal. Raises Corrupt, too, for a value that the archive does not have as it was."""
        earliest, _ = self._journal.offsets(shard)
        if start < earliest:
            if self._archive.archived(shard) < earliest:
                raise Truncated(shard, start, earliest)
            for offset, value in self._archive.read(shard, start):
                if offset >= earliest:
                    break
                yield offset, value
            start = earliest
        yield from self._journal.read(shard, start)

    def offsets(self, shard: int) -> tuple[int, int]:
        """The earliest offset that can be read, wherever it is, and the next one to be given."""
        earliest, next = self._journal.offsets(shard)
        return (0 if self._archive.archived(shard) >= earliest else earliest), next

    def truncate(self, shard: int, before: int) -> None:
        self._journal.truncate(shard, before)

    def close(self) -> None:
        try:
            self._archive.close()
        finally:
            self._journal.close()
