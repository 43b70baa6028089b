"""What came of a command or a read, as a response or as a line of a batch."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Send

from shardlog.codec.json import encode
from shardlog.executor.requests import Found, StreamState
from shardlog.gateway.problems import Answer, as_answer
from shardlog.model.answers import Accepted, RecordedEvent, of_outcome
from shardlog.model.outcomes import CommandAccepted, Outcome

JSON_TYPE = (b"content-type", b"application/json")


class StreamShown(msgspec.Struct, frozen=True):
    """A stream as clients see it. version: 0, with the aggregate's first state, for a stream without events."""

    category: str
    id: str
    version: int
    state: Any


def of_command(outcome: Outcome) -> Answer:
    """The response to a single command."""
    if not isinstance(outcome, CommandAccepted):
        return as_answer(of_outcome(outcome))
    return _json(Accepted(events=_events(outcome), version=outcome.version, token=outcome.token))


def of_line(line: int, command_id: str, outcome: Outcome) -> bytes:
    """The answer to a line of a batch, with its line end."""
    if not isinstance(outcome, CommandAccepted):
        return encode(of_outcome(outcome, line, command_id)) + b"\n"
    accepted = Accepted(
        line=line,
        status=200,
        command_id=command_id,
        events=_events(outcome),
        version=outcome.version,
        token=outcome.token,
    )
    return encode(accepted) + b"\n"


def of_read(category: str, id: str, found: Found) -> Answer:
    """The response to a read; its ETag is the version."""
    if not isinstance(found, StreamState):
        return as_answer(of_outcome(found))
    answer = _json(StreamShown(category, id, found.version, found.state))
    answer.headers.append((b"etag", b'"%d"' % found.version))
    return answer


async def respond(send: Send, answer: Answer) -> None:
    """Send it."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def _json(value: object) -> Answer:
    body = encode(value)
    return Answer(200, [JSON_TYPE, (b"content-length", b"%d" % len(body))], body)


def _events(outcome: CommandAccepted) -> list[RecordedEvent]:
    first = (outcome.version or 0) - len(outcome.events) + 1
    return [
        RecordedEvent(type(event).__wire_name__, version, event) for version, event in enumerate(outcome.events, first)
    ]
