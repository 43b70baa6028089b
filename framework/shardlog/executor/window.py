"""The windows of command ids: what makes it safe to send a command again.

Both are functions of valid frames alone (rule D1), so a replay rebuilds them as they were. Keys are blake2b-128 of
scope and id. A place is one integer: the frame's offset, the entry's index and the 32-bit payload check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

import msgspec

_BUCKETS = 256
_QUARTERS = 4
_INDEX_BITS = 32
_CHECK_BITS = 32
_encode = msgspec.json.Encoder().encode

TIMED_CHANNELS = frozenset({"http", "grpc", "local"})
COUNTED_CHANNEL = "kafka"
NEWER = "newer"
OLDER = "older"


class Place(NamedTuple):
    """Where the first outcome of an id stands. offset: of its frame. first_index: of its entry. check: of its
    payload."""

    offset: int
    first_index: int
    check: int


def window_key(tenant: str, category: str, id: str, command_id: str) -> bytes:
    """The key of a command id in its scope, 16 bytes."""
    return blake2b(_encode((tenant, category, id, command_id)), digest_size=16).digest()


def place_in_frame(first_index: int, check: int) -> int:
    """A place without its frame's offset, as one integer."""
    return (first_index << _CHECK_BITS) | check


def _packed(offset: int, first_index: int, check: int) -> int:
    return (offset << (_INDEX_BITS + _CHECK_BITS)) | (first_index << _CHECK_BITS) | check


def _unpacked(packed: int) -> Place:
    mask = (1 << _CHECK_BITS) - 1
    return Place(packed >> (_INDEX_BITS + _CHECK_BITS), (packed >> _CHECK_BITS) & mask, packed & mask)


class FrozenIds(NamedTuple):
    """The ids that dictionaries held at one moment.

    Ids are only ever added, and a dictionary keeps the order of adding: so the first `lengths` of each are those of
    that moment, and nothing had to be copied then. name: of the generation.
    """

    name: str
    ids: list[dict[bytes, int]]
    lengths: list[int]

    def buckets(self) -> Iterator[Iterable[tuple[bytes, int]]]:
        """Keys and packed places, a dictionary at a time. For any thread."""
        for ids, length in zip(self.ids, self.lengths, strict=True):
            yield islice(ids.copy().items(), length)  # a copy is made at once, an iteration could meet a new id


def _frozen(name: str, ids: list[dict[bytes, int]]) -> FrozenIds:
    return FrozenIds(name, list(ids), [len(bucket) for bucket in ids])


class RequestWindow:
    """Ids of requests, kept until a frame's time is more than the window past their own.

    An id's time is the later of its frame's and the one in it (rule D5). Ids live in generations of a quarter of the
    window, each of 256 dictionaries, so that none is ever large enough for its growth to be felt; one dictionary of a
    dead generation is freed a frame.
    """

    def __init__(self, window_ms: int, ids_max: int) -> None:
        self._window_us = window_ms * 1000
        self._quarter_us = max(1, self._window_us // _QUARTERS)
        self._ids_max = ids_max
        self._generations: dict[int, list[dict[bytes, int]]] = {}
        self._counts: dict[int, int] = {}
        self._dying: list[dict[bytes, int]] = []

    def __len__(self) -> int:
        return sum(self._counts.values())

    def find(self, key: bytes) -> Place | None:
        """The first outcome of this id, or None."""
        bucket = key[0]
        for generation in self._generations.values():
            packed = generation[bucket].get(key)
            if packed is not None:
                return _unpacked(packed)
        return None

    def is_expired(self, time_in_id: int, frame_time: int) -> bool:
        """Whether an id of this time may have left the window by the time of the frame. Microseconds."""
        return time_in_id < frame_time - self._window_us

    def room(self, frame_time: int) -> int:
        """How many more ids fit, at the time of the frame to be built; those not yet acknowledged are not counted."""
        alive = sum(n for number, n in self._counts.items() if self._ends(number) > frame_time - self._window_us)
        return self._ids_max - alive

    def add(self, key: bytes, offset: int, first_index: int, check: int, time_us: int) -> None:
        """Remember an acknowledged outcome and its place. time_us: the later of its frame's time and that in its id."""
        number = time_us // self._quarter_us
        generation = self._generations.get(number)
        if generation is None:
            generation = self._generations[number] = [{} for _ in range(_BUCKETS)]
            self._counts[number] = 0
        bucket = generation[key[0]]
        if key not in bucket:
            self._counts[number] += 1
        bucket[key] = _packed(offset, first_index, check)

    def frame_ended(self, frame_time: int) -> None:
        """Forget what has left the window; called at each acknowledged frame."""
        if self._dying:
            self._dying.pop()
        for number in [n for n in self._generations if self._ends(n) <= frame_time - self._window_us]:
            self._dying += self._generations.pop(number)
            del self._counts[number]

    def frozen(self) -> list[FrozenIds]:
        """What it holds now, a generation each, named by its number."""
        return [_frozen(str(number), buckets) for number, buckets in self._generations.items()]

    def load(self, name: str, ids: Iterable[tuple[bytes, int]]) -> None:
        """Take ids of the generation of this name. Raises ValueError for a name that is no number."""
        number = int(name)
        generation = self._generations.setdefault(number, [])
        generation.extend({} for _ in range(_BUCKETS - len(generation)))
        for key, packed in ids:
            generation[key[0]][key] = packed
        self._counts[number] = sum(map(len, generation))

    def _ends(self, number: int) -> int:
        return (number + 1) * self._quarter_us


class CountedWindow:
    """Ids of a commands topic, best effort: the newest half to whole of `ids_max`, whatever their age."""

    def __init__(self, ids_max: int) -> None:
        self._half = max(1, ids_max // 2)
        self._count = 0
        self._recent: list[dict[bytes, int]] = [{} for _ in range(_BUCKETS)]
        self._older: list[dict[bytes, int]] = [{} for _ in range(_BUCKETS)]
        self._dying: list[dict[bytes, int]] = []

    def find(self, key: bytes) -> Place | None:
        """The first outcome of this id, or None."""
        packed = self._recent[key[0]].get(key)
        if packed is None:
            packed = self._older[key[0]].get(key)
        return None if packed is None else _unpacked(packed)

    def __contains__(self, key: bytes) -> bool:
        bucket = key[0]
        return key in self._recent[bucket] or key in self._older[bucket]

    def add(self, key: bytes, offset: int, first_index: int, check: int) -> None:
        """Remember an acknowledged outcome and its place."""
        self._recent[key[0]][key] = _packed(offset, first_index, check)
        self._count += 1

    def add_frame(self, offset: int, places: Mapping[bytes, int]) -> None:
        """Remember the outcomes of an acknowledged frame. places: by key, as `place_in_frame` gives them."""
        recent, frame = self._recent, offset << (_INDEX_BITS + _CHECK_BITS)
        for key, place in places.items():
            recent[key[0]][key] = frame | place
        self._count += len(places)

    def frame_ended(self) -> None:
        """Move on by a generation when the newer one is full; called at each acknowledged frame."""
        if self._dying:
            self._dying.pop()
        if self._count >= self._half:
            self._count = 0
            self._dying += self._older
            self._older, self._recent = self._recent, [{} for _ in range(_BUCKETS)]

    @property
    def count(self) -> int:
        """How many ids were taken into the newer generation."""
        return self._count

    def frozen(self) -> list[FrozenIds]:
        """What it holds now: the newer generation and the older one."""
        return [_frozen(NEWER, self._recent), _frozen(OLDER, self._older)]

    def load(self, name: str, ids: Iterable[tuple[bytes, int]]) -> None:
        """Take ids of the generation of this name. Raises KeyError for another name."""
        generation = {NEWER: self._recent, OLDER: self._older}[name]
        for key, packed in ids:
            generation[key[0]][key] = packed

    def load_count(self, count: int) -> None:
        """How many ids were taken into the newer generation."""
        self._count = count
