"""What the journal knows about an event or a refusal, beside what happened."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shardlog.errors import InvalidToken

NUMBER_DIGITS_MAX = 19


class Position(msgspec.Struct, frozen=True, gc=False):
    """A place in a journal. Its text is the consistency token that clients are given.

    journal: id of the journal, a UUID. shard, offset (of the frame), index (in the frame): from 0.

    >>> from shardlog import Position
    >>> Position("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11", shard=3, offset=17, index=0).token
    '0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11.3.17.0'
    >>> Position.parse("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11.3.17.0").offset
    17
    """

    journal: str
    shard: int
    offset: int
    index: int

    @property
    def token(self) -> str:
        """The consistency token, `JOURNAL.SHARD.OFFSET.INDEX`."""
        return f"{self.journal}.{self.shard}.{self.offset}.{self.index}"

    @classmethod
    def parse(cls, token: str) -> Position:
        """The position that a token names. Raises InvalidToken for a text that is none."""
        journal, *numbers = token.split(".")
        if not journal or len(numbers) != 3 or not all(map(_is_number, numbers)):
            shown = token if len(token) <= 100 else f"{token[:100]}... ({len(token)} characters)"
            raise InvalidToken(
                f"{shown!r} is no consistency token: it is JOURNAL.SHARD.OFFSET.INDEX, three numbers after the "
                "journal's id. Send a token back exactly as it was given."
            )
        return cls(journal, *map(int, numbers))


def _is_number(text: str) -> bool:
    """An offset has no more digits than a 64-bit integer, and nobody's text is worth the time that more would take."""
    return text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The record of an event, given to projections and process managers.

    version: place in the stream, from 1. time: of the frame. occurred_at: when it happened, the frame's time where the
    command did not say. position: None inside process managers, which run before the frame has a place.
    correlation_id: the command id where the command named none. Text that is absent is empty.
    """

    category: str
    id: str
    version: int
    time: datetime
    occurred_at: datetime
    position: Position | None = None
    command_id: str = ""
    actor: str = ""
    tenant: str = ""
    correlation_id: str = ""
    causation_id: str = ""


class RecordedRejection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A business rejection, given to projections that listen to rejections.

    command: name of the refused command on the wire. code: for programs. message: for people.
    """

    category: str
    id: str
    command: str
    code: str
    message: str
