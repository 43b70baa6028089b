"""The body of a request, read no further than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from starlette.types import Receive

from shardlog.gateway.heads import CONTENT_LENGTH
from shardlog.gateway.problems import RequestRefused


class ClientGone(Exception):
    """The client closed the connection before its request was read. Nobody is there to be answered."""


async def read_body(receive: Receive, head: Mapping[bytes, bytes], bytes_max: int, receive_ms: int) -> bytes:
    """The whole body. Raises RequestRefused as soon as it is, or says that it is, larger than `bytes_max` (413), and
    where it takes longer than `receive_ms` to arrive (408); ClientGone."""
    declared = head.get(CONTENT_LENGTH)
    if declared is not None and int(declared) > bytes_max:
        raise _too_large(int(declared), bytes_max)
    try:
        async with asyncio.timeout(receive_ms / 1000):
            parts = await _pieces(receive, bytes_max)
    except TimeoutError:
        text = (
            f"the body did not arrive within {receive_ms} ms (receive_deadline_ms), and nothing was done: send it again"
        )
        raise RequestRefused(408, "request_timeout", text) from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_json(body: bytes) -> None:
    """Raises RequestRefused (400) for a body that is no JSON, by what is wrong with the body alone."""
    if not body.strip():
        raise RequestRefused(
            400, "invalid_command", "the body is empty: send the command as a JSON object, {} at least"
        )
    try:
        body.decode()
        msgspec.json.decode(body)
    except UnicodeDecodeError as error:
        why = f"{error.reason} (byte {error.start} of it)"
    except msgspec.ValidationError:
        return  # JSON with a number that no field takes: what refused the command said so
    except msgspec.DecodeError as error:
        why = _in_words(str(error))
    except RecursionError:
        raise RequestRefused(400, "invalid_command", "the body is nested too deeply (nesting_max)") from None
    else:
        return
    raise RequestRefused(400, "invalid_command", f"the body is no JSON: {why}")


def _in_words(said: str) -> str:
    """What msgspec says of malformed JSON, for somebody who sees the body alone."""
    if said == "Input data was truncated":
        return r"it ends too early, or has half of an escape such as \ud83d\ude00"
    if "trailing characters" in said:
        return "more follows behind its value"  # the offset that msgspec names is one too far
    return said.removeprefix("JSON is malformed: ").replace(")", " of it)")


async def _pieces(receive: Receive, bytes_max: int) -> list[bytes]:
    parts: list[bytes] = []
    size = 0
    while (message := await receive())["type"] == "http.request":
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > bytes_max:
            raise _too_large(size, bytes_max)
        if not message.get("more_body"):
            return parts
    raise ClientGone


def _too_large(size: int, bytes_max: int) -> RequestRefused:
    return RequestRefused(
        413, "too_large", f"the body takes {size} bytes or more, and {bytes_max} are allowed (command_bytes_max)"
    )
