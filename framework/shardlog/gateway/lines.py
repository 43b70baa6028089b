"""Lines out of pieces of a body, none of them held that is longer than is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """A line that is not blank. number: from 1, blank ones counted. text: None where it is too long."""

    number: int
    text: bytes | None
    size: int


class LineSplitter:
    """Takes pieces, gives lines. bytes_max: of one line; what is beyond is counted and forgotten."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: list[bytes] = []
        self._size = 0
        self.number = 0

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The lines that end in this piece."""
        *ended, rest = piece.split(b"\n")
        for text in ended:
            if self._size:
                self._hold(text)
                line = self._take()
            else:
                self.number += 1
                line = self._line(text, len(text))
            if line is not None:
                yield line
        self._hold(rest)

    def end(self) -> Iterator[Line]:
        """The last line, where it has no line end."""
        if self._size and (line := self._take()) is not None:
            yield line

    def _hold(self, text: bytes) -> None:
        self._size += len(text)
        if self._size > self._bytes_max:
            self._held.clear()
        elif text:
            self._held.append(text)

    def _take(self) -> Line | None:
        self.number += 1
        text, size = b"".join(self._held), self._size
        self._held.clear()
        self._size = 0
        return self._line(text, size)

    def _line(self, text: bytes, size: int) -> Line | None:
        if size > self._bytes_max:
            return Line(self.number, None, size)
        return Line(self.number, text, size) if text and not text.isspace() else None
