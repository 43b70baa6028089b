"""One stream, as a shard holds it in memory and as a snapshot keeps it: the same struct, so that buckets are encoded as
they are."""

from __future__ import annotations

from typing import Any, Generic

import msgspec
from typing_extensions import TypeVar

S = TypeVar("S", default=Any)


class Slot(msgspec.Struct, Generic[S], frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """One stream: its version (the number of its events) and its state."""

    version: int
    state: S
