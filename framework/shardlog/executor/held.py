"""Streams as they were at one moment, read in the background while commands go on to change them.

Whoever writes to a bucket that is held first notes what it overwrites. So nothing is copied in the build thread, and
what was at that moment is the bucket of now with what was noted put back.
"""

from __future__ import annotations

from collections.abc import Iterator

from shardlog.snapshots.slot import Slot


class HeldStreams:
    """A category's streams at the moment in which this was made.

    marks: a byte a bucket, 1 where it is held; then `overwritten` gets what a stream was before its first write, or
    None where it had no events.
    """

    __slots__ = ("_buckets", "marks", "overwritten")

    def __init__(self, buckets: list[dict[str, Slot]], is_held: bool = True) -> None:
        self._buckets = list(buckets)
        self.marks = bytearray(b"\1" if is_held else b"\0") * len(buckets)
        self.overwritten: list[dict[str, Slot | None]] = [{} for _ in buckets] if is_held else []

    def release(self) -> Iterator[dict[str, Slot]]:
        """The buckets one by one, as they were; each is free again as soon as it is given. For one other thread.

        A write that happens in between is seen either not at all, or with what it overwrote noted.
        """
        for index, bucket in enumerate(self._buckets):
            streams = bucket.copy()  # one call, so no write is seen in part
            self.marks[index] = 0
            for id, slot in self.overwritten[index].copy().items():
                if slot is None:
                    streams.pop(id, None)
                else:
                    streams[id] = slot
            self._buckets[index] = {}
            self.overwritten[index] = {}
            yield streams
