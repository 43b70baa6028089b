"""A reader that follows the journal while brokers are treated badly, and knows when everything is at rest."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalUnavailable
from shardlog.journal.reader import ClaimTaken, FrameTaken, Reader
from shardlog.journal.records import Accepted, Forwarded, Rejected, decode_raw_frame
from shardlog.ports.sends import At

LOOK_SECONDS = 0.02


class Following:
    """One thread, one reader a shard. It stops at the first error that brokers' absence does not explain.

    records: by shard, what it was given, in order. heads: by shard and offset, the head after that record. claims: by
    shard, offsets of valid claims. unsettled: sends that no frame has taken yet.
    """

    def __init__(self, settings: KafkaSettings, journal_id: str, shards: int) -> None:
        self.readers = [Reader(journal_id, shard, shards) for shard in range(shards)]
        self.records: list[list[tuple[int, bytes]]] = [[] for _ in range(shards)]
        self.heads: list[dict[int, str]] = [{} for _ in range(shards)]
        self.claims: list[list[int]] = [[] for _ in range(shards)]
        self.settled: list[dict[str, int]] = [{} for _ in range(shards)]
        self.last_sent: dict[tuple[int, int], At] = {}
        self.last_received: dict[tuple[int, int], At] = {}
        self.frames = 0
        self.replies = 0
        self.events = 0
        self.errors: dict[int, Exception] = {}
        self._journal = KafkaJournal(settings, shards)
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    @property
    def has_carried_all(self) -> bool:
        """Whether each send of a frame was taken by a frame of its target."""
        return all(self.last_received.get(way) == at for way, at in list(self.last_sent.items()))

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_ending.set()
        self._thread.join()
        self._journal.close()

    def _run(self) -> None:
        while not self._is_ending.is_set():
            for reader in self.readers:
                if reader.shard not in self.errors:
                    self._follow(reader)
            self._is_ending.wait(LOOK_SECONDS)

    def _follow(self, reader: Reader) -> None:
        shard = reader.shard
        try:
            for offset, value in self._journal.read(shard, reader.position):
                self.records[shard].append((offset, value))
                verdict = reader.pass_over(offset, value)
                self.heads[shard][offset] = reader.state.head
                if isinstance(verdict, ClaimTaken):
                    self.claims[shard].append(offset)
                elif isinstance(verdict, FrameTaken):
                    self._take(shard, (reader.epoch, reader.seq), decode_raw_frame(verdict.body))
        except JournalUnavailable:
            return  # it is asked again
        except Exception as error:  # noqa: BLE001  # a test looks at it
            self.errors[shard] = error

    def _take(self, shard: int, place: tuple[int, int], body: Any) -> None:
        self.settled[shard] |= body.inputs
        number = 0
        for entry in body.entries:
            targets = [entry.shard] if isinstance(entry, Forwarded) else []
            if isinstance(entry, Accepted | Rejected):
                targets = [send.shard for send in entry.sends]
                self.replies += bool(entry.reply_to)
                if entry.origin is not None:
                    origin = entry.origin
                    self.last_received[origin.shard, shard] = (origin.epoch, origin.seq, origin.number)
            if isinstance(entry, Accepted):
                self.events += len(entry.events)
            for target in targets:
                self.last_sent[shard, target] = (*place, number)
                number += 1
        self.frames += 1
