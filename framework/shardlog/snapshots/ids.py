"""Ids of the windows in a chunk: 32 bytes each, a key of 16 and a place of 16.

A place is the integer that a window keeps: the frame's offset above 64 bits of index and payload check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

KEY_BYTES = 16
ID_BYTES = 32
OFFSET_SHIFT = 64
Ids: TypeAlias = Iterable[tuple[bytes, int]]
"""Keys and places."""


def pack_ids(ids: Ids) -> tuple[list[bytes], int | None]:
    """The bytes of each id, and the lowest offset that they refer to; None where there are none."""
    packed: list[bytes] = []
    lowest: int | None = None
    for key, place in ids:
        packed.append(key + place.to_bytes(ID_BYTES - KEY_BYTES, "big"))
        if lowest is None or place < lowest:
            lowest = place
    return packed, None if lowest is None else lowest >> OFFSET_SHIFT


def unpack_ids(raw: bytes) -> Iterator[tuple[bytes, int]]:
    """The ids of a chunk. Raises ValueError for bytes of another length."""
    if len(raw) % ID_BYTES:
        raise ValueError(f"{len(raw)} bytes are no ids of {ID_BYTES} bytes each")
    number = int.from_bytes
    for at in range(0, len(raw), ID_BYTES):
        end = at + KEY_BYTES
        yield raw[at:end], number(raw[end : at + ID_BYTES], "big")
