"""The keys of a snapshot: JOURNAL/SHARD/OFFSET-EPOCH-HEAD (rule S2), its data and, written after it, its manifest."""

from __future__ import annotations

import re
from typing import NamedTuple

DATA = ".data"
MANIFEST = ".manifest"
HEAD_DIGITS = 16
_match = re.compile(
    r"(?P<journal>[0-9a-f-]{36})/(?P<shard>[0-9]{4,})/(?P<offset>[0-9]{20})-(?P<epoch>[0-9]+)-(?P<head>[0-9a-f]{16})"
    r"(?P<kind>\.data|\.manifest)"
).fullmatch


class SnapshotKey(NamedTuple):
    """What a snapshot is called. offset: the next one to read behind it. head: the chain's, its first 16 hex digits."""

    journal: str
    shard: int
    offset: int
    epoch: int
    head: str

    @property
    def stem(self) -> str:
        """The key without what says data or manifest."""
        return f"{shard_prefix(self.journal, self.shard)}{self.offset:020d}-{self.epoch}-{self.head}"

    @property
    def data(self) -> str:
        """The key of its data, written first."""
        return self.stem + DATA

    @property
    def manifest(self) -> str:
        """The key of its manifest, written second: there is a snapshot where there is a manifest."""
        return self.stem + MANIFEST

    @property
    def age(self) -> tuple[int, int]:
        """Newer snapshots of a shard have higher ones: offset, then epoch."""
        return self.offset, self.epoch


def shard_prefix(journal: str, shard: int) -> str:
    """What all keys of a shard begin with."""
    return f"{journal}/{shard:04d}/"


def parse_key(key: str) -> tuple[SnapshotKey, str] | None:
    """The snapshot that a key belongs to, and DATA or MANIFEST; None for a key of something else."""
    match = _match(key)
    if match is None:
        return None
    found = SnapshotKey(match["journal"], int(match["shard"]), int(match["offset"]), int(match["epoch"]), match["head"])
    return found, match["kind"]
