"""Frames that are decoded once for all projections of a process that are about as far as one another.

Each projection has a thread and reads by itself. Who comes to a frame first decodes it for all, those that follow take
it, and once all have it, it is forgotten. Whoever is further behind than what is kept decodes what it hears alone, and
is in nobody's way.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from shardlog.errors import UnknownFormat
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.projector.heard import FrameReader, Heard

FRAMES_MAX = 512
"""Two batches: as far as the first may be ahead of the others."""


class _Kept:
    """A frame for those who have not read it yet. left: how many they are."""

    __slots__ = ("heard", "left")

    def __init__(self, heard: list[Heard], left: int) -> None:
        self.heard = heard
        self.left = left


class SharedFrames:
    """Of one journal. From any thread. projections: all that read here, each from a thread of its own."""

    def __init__(self, application: Application, projections: Sequence[Projection], journal: str) -> None:
        self._reader = FrameReader(application, projections, journal)
        self._others = len(projections) - 1
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, int], _Kept] = {}
        self._ahead: dict[int, int] = {}

    def read(self, shard: int, offset: int, body: bytes | memoryview, alone: FrameReader) -> list[Heard]:
        """What is heard of one valid frame, and perhaps by others. alone: decodes it where it is not shared.

        Raises UnknownFormat where it does not decode for `alone`.
        """
        with self._lock:  # held while it is decoded, so that the others wait for it instead of doing the same
            kept = self._kept.get((shard, offset))
            if kept is not None:
                kept.left -= 1
                if kept.left == 0:
                    del self._kept[shard, offset]
                return kept.heard
            if offset > self._ahead.get(shard, -1):
                self._ahead[shard] = offset
                try:
                    heard = self._reader.read(shard, offset, body)
                except UnknownFormat:
                    pass  # perhaps it is another projection that does not know something in it
                else:
                    self._keep(shard, offset, heard)
                    return heard
        return alone.read(shard, offset, body)

    def _keep(self, shard: int, offset: int, heard: list[Heard]) -> None:
        if self._others:
            self._kept[shard, offset] = _Kept(heard, self._others)
            if len(self._kept) > FRAMES_MAX:
                del self._kept[next(iter(self._kept))]
