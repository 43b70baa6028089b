"""Bodies are read no further than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from starlette.types import Message

from shardlog.gateway.bodies import ClientGone, read_body
from shardlog.gateway.problems import RequestRefused


class Pieces:
    """A client that sends these pieces, and goes away where `goes` is set. received: how many were asked for."""

    def __init__(self, *pieces: bytes, goes: bool = False) -> None:
        self.received = 0
        self._pieces = pieces
        self._goes = goes

    async def __call__(self) -> Message:
        if self.received == len(self._pieces):
            assert self._goes, "read beyond the end"
            return {"type": "http.disconnect"}
        piece = self._pieces[self.received]
        self.received += 1
        more = self._goes or self.received < len(self._pieces)
        return {"type": "http.request", "body": piece, "more_body": more}


def read(pieces: Pieces, bytes_max: int, head: Mapping[bytes, bytes] | None = None) -> bytes:
    return asyncio.run(read_body(pieces, head or {}, bytes_max, 20_000))


@pytest.mark.parametrize("pieces", [(b"",), (b"abcd",), (b"a", b"", b"bcd"), (b"ab", b"cd", b"")])
def test_a_body_is_the_same_in_however_many_pieces_it_comes(pieces: tuple[bytes, ...]) -> None:
    assert read(Pieces(*pieces), 4) == b"".join(pieces)


def test_the_piece_that_is_too_much_is_the_last_that_is_read() -> None:
    pieces = Pieces(*[b"x" * 10] * 100)
    with pytest.raises(RequestRefused, match=r"too_large: .* 25 are allowed"):
        read(pieces, 25)
    assert pieces.received == 3


def test_one_piece_that_is_too_much_is_refused() -> None:
    with pytest.raises(RequestRefused, match="too_large"):
        read(Pieces(b"x" * 26), 25)


def test_a_body_that_says_that_it_is_too_large_is_not_read_at_all() -> None:
    pieces = Pieces(b"x" * 26)
    with pytest.raises(RequestRefused, match="26 bytes"):
        read(pieces, 25, {b"content-length": b"26"})
    assert pieces.received == 0


def test_a_client_that_goes_away_leaves_no_command() -> None:
    with pytest.raises(ClientGone):
        read(Pieces(b'{"amount"', goes=True), 25)
