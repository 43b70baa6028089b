"""A record's headers, as the client gives them: all, or none and why."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, cast

from confluent_kafka import Message

Headers: TypeAlias = "list[tuple[str, bytes | None]]"


class ReadHeaders(NamedTuple):
    """why_not: what is wrong with the name of one, "" where nothing is; then none of them is known."""

    headers: Headers
    why_not: str = ""


def read_headers(message: Message) -> ReadHeaders:
    """The headers of a record that was read.

    The client decodes names as UTF-8 and has no other way; what it raises depends on where the wrong name stands.
    """
    try:
        found = cast("Headers | None", message.headers())  # the stubs allow more, for sending
    except (UnicodeDecodeError, SystemError) as error:
        cause = error if isinstance(error, UnicodeDecodeError) else error.__cause__
        if not isinstance(cause, UnicodeDecodeError):
            raise
        return ReadHeaders([], f"the name of a header is no UTF-8: {cause.reason} at byte {cause.start}")
    return ReadHeaders(found or [])
