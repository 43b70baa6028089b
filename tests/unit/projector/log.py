"""A journal to be projected, written record by record with the journal's own functions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from shardlog import Event
from shardlog.codec.json import encode
from shardlog.journal.envelope import claim_value, frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import Accepted, ClaimBody, Origin, RawEvent, Rejected, encode_claim, encode_frame
from shardlog.ports.journal import Journal
from shardlog.sharding import routing_key, shard_of

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
NONCE = "0123456789abcdef" * 2
TIME = 1_357_020_000_000_000


class LogWriter:
    """Writes valid frames, and anything else, into all shards of a journal."""

    def __init__(self, journal: Journal, shards: int, category: str = "account", routing_parts: int | None = 1) -> None:
        self.journal = journal
        self.shards = shards
        self._category = category
        self._routing_parts = routing_parts
        self._readers = [Reader(JOURNAL, shard, shards) for shard in range(shards)]
        self._writers = [journal.writer(shard) for shard in range(shards)]
        self._versions: dict[str, int] = {}
        self.time = TIME
        for shard in range(shards):
            self.claim(shard)

    def shard_of(self, id: str) -> int:
        return shard_of(routing_key(id, self._routing_parts), self.shards)

    def claim(self, shard: int) -> None:
        body = encode_claim(ClaimBody("test", "", 0, TIME, "build"))
        self.append(shard, claim_value(JOURNAL, shard, self.shards, self._readers[shard].epoch + 1, NONCE, body))

    def append(self, shard: int, value: bytes) -> int:
        """Append any bytes; valid or not, this log's own readers judge them as every reader does."""
        offset = self._readers[shard].position
        self._writers[shard].append(value, lambda _report: None)
        self._readers[shard].pass_over(offset, value)
        return offset

    def frame(self, shard: int, entries: Sequence[Accepted[Any] | Rejected]) -> int:
        """Append a valid frame; returns its offset."""
        self.time += 1_000
        body = encode_frame(self.time, {}, [msgspec.json.encode(entry) for entry in entries])
        reader = self._readers[shard]
        return self.append(shard, frame_value(reader.frame_prefix, reader.seq + 1, reader.head, body))

    def happened(self, *events: tuple[str, Event], occurred_at: int | None = None) -> list[int]:
        """Events of streams, one entry each, in one frame a shard; returns the offsets."""
        by_shard: dict[int, list[Accepted[Any] | Rejected]] = {}
        for id, event in events:
            by_shard.setdefault(self.shard_of(id), []).append(self.accepted(id, event, occurred_at=occurred_at))
        return [self.frame(shard, entries) for shard, entries in by_shard.items()]

    def accepted(self, id: str, *events: Event, occurred_at: int | None = None) -> Accepted[Any]:
        return Accepted(*self._command(id, occurred_at), [self.event(id, event) for event in events], [])

    def rejected(self, id: str, code: str, message: str = "no") -> Rejected:
        return Rejected(*self._command(id, None), code, message, None, msgspec.Raw(b"null"), None, [])

    def event(self, id: str, event: Event) -> RawEvent:
        self._versions[id] = version = self._versions.get(id, 0) + 1
        tag = f"{self._category}/{event.__wire_name__}/{event.__schema_version__}"
        return RawEvent(tag, id, version, msgspec.Raw(encode(event)))

    def wait_until_written(self) -> None:
        """Until the journal has all that was appended, which it takes as it comes."""
        while any(self.journal.offsets(shard)[1] < self._readers[shard].position for shard in range(self.shards)):
            time.sleep(0.001)

    def _command(self, id: str, occurred_at: int | None) -> Any:
        origin: Origin | None = None
        head = (self._category, id, "do", f"c-{self.time}", "acme", "ann", "local", "", "", "", occurred_at)
        return (*head, 0, origin, "")
