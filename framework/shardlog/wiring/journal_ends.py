"""Where the journal ends, for those who say how far tables are behind: asked once a second at most."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import islice

from shardlog.errors import ShardlogError
from shardlog.journal.envelope import envelope_of
from shardlog.ports.reading import ReadTo
from shardlog.query.journal_ends import JournalEnds
from shardlog.wiring.reading import OpenJournal, open_journal
from shardlog.wiring.settings import Settings

AGE_SECONDS = 1.0
RETRY_SECONDS = 5.0
RECORDS_MAX = 100
"""So many records are looked at for the first frame that was not read."""
log = logging.getLogger("shardlog.query")


class OpenedEnds(JournalEnds):
    """The journal that settings name, opened when it is first asked for, and again after it could not be."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._opened = ExitStack()
        self._journal: OpenJournal | None = None
        self._known: Mapping[int, int] = {}
        self._look_at = 0.0
        self._said = ""

    def ends(self) -> Mapping[int, int]:
        """By shard, the offset behind its last record, as of a second ago or less; empty where it cannot be asked."""
        with self._turn:
            now = time.monotonic()
            if now >= self._look_at:
                self._known = self._asked()
                self._look_at = time.monotonic() + (AGE_SECONDS if self._known else RETRY_SECONDS)
            return self._known

    def waited_s(self, place: ReadTo) -> float | None:
        """How long the first frame from `place.next` on is in the journal."""
        with self._turn:
            if self._journal is None or place.journal != self._journal.meta.journal:
                return None
            try:
                for _, value in islice(self._journal.journal.read(place.shard, place.next), RECORDS_MAX):
                    envelope = envelope_of(value)
                    if envelope is not None and not envelope.is_claim:
                        written = int(value[envelope.body + 1 :].partition(b",")[0])
                        return max(0.0, round(time.time() - written / 1_000_000, 3))
            except (ShardlogError, ValueError) as error:
                self._failed(error)
                return None
            return 0.0

    def close(self) -> None:
        """Let go of the journal."""
        with self._turn:
            self._forget()

    def _asked(self) -> Mapping[int, int]:
        try:
            if self._journal is None:
                opening = open_journal(self._settings.directory, self._settings.kafka)
                self._journal = self._opened.enter_context(opening)
            journal = self._journal
            return {shard: journal.journal.offsets(shard)[1] for shard in range(journal.meta.shards)}
        except (ShardlogError, OSError, ModuleNotFoundError) as error:
            self._failed(error)
            return {}

    def _failed(self, error: Exception) -> None:
        """Say it once, and open it anew the next time."""
        if str(error) != self._said:
            self._said = str(error)
            log.warning("the journal cannot be asked for its ends, so no lag is shown: %s", error)
        self._forget()

    def _forget(self) -> None:
        self._journal = None
        self._opened.close()
