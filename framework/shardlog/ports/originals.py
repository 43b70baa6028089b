"""The port by which a dead letter gets the record that it speaks of, as its producer wrote it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple


class Original(NamedTuple):
    """A record of an input, whole and unchanged. value, key: None where it has none.

    headers_unread: why `headers` are not known, though the record may have some; "" where they are.
    """

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    headers_unread: str = ""


class Originals(ABC):
    """Records of inputs, by the names that stand in frames."""

    @abstractmethod
    def fetch(self, input: str, shard: int, offset: int) -> Original | None:
        """The record at this offset; None where it is gone, or the input is another one by now.

        Raises JournalUnavailable where it may be there and cannot be read now.
        """
