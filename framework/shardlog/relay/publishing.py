"""From a valid frame to the records that are published of it: events, replies, dead letters. Pure.

Events are CloudEvents 1.0 in the binary mode of its Kafka binding: attributes are headers, the event is the value. They
are published as they were recorded, old versions as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from shardlog.codec.json import encode
from shardlog.journal.records import Accepted, FrameBody, RawEvent, Rejected, Unreadable
from shardlog.model import answers
from shardlog.model.application import Application
from shardlog.model.outcomes import CommandRejected
from shardlog.model.recorded import Position
from shardlog.ports.outputs import EVENTS, REPLIES, OutputRecord
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.core import FramePlace, dead_letter_of
from shardlog.sharding import routing_key

Headers: TypeAlias = list[tuple[str, bytes]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = b"application/json"
_PROBLEM = b"application/problem+json"


class EventForm(NamedTuple):
    """How an event is written. encode: given its type, `category/Name/version`, and its data as JSON."""

    content_type: str
    encode: Callable[[str, bytes], bytes]


JSON_EVENTS = EventForm("application/json", lambda _type, data: data)


class _EventType(NamedTuple):
    category: str
    topic: str
    head: Sequence[tuple[str, bytes]]
    routing_parts: int | None


class Publishing:
    """What is published of an application's frames. source: the journal's name, for events' `source`."""

    def __init__(self, application: Application, source: str, events: EventForm = JSON_EVENTS) -> None:
        self._application = application
        self._source = f"urn:shardlog:{source}".encode()
        self._form = events
        self._types: dict[str, _EventType] = {}

    def outputs(self, place: FramePlace, frame: FrameBody[RawEvent]) -> list[OutputRecord | CommandDeadLetter]:
        """All of a frame in its order; dead letters are still without the record that they speak of."""
        found: list[OutputRecord | CommandDeadLetter] = []
        index = 0
        time = rfc3339(frame.time)
        for entry in frame.entries:
            if isinstance(entry, Accepted):
                if entry.events:
                    found += self._events(place, time, index, entry)
                index += len(entry.events) or 1
                if entry.reply_to:
                    found.append(_reply_accepted(place, index - 1, entry))
                continue
            if isinstance(entry, Rejected | Unreadable):
                letter = dead_letter_of(self._application, place, frame.time, index, entry)
                if letter is not None:
                    found.append(letter)
                if isinstance(entry, Rejected) and entry.reply_to:
                    found.append(_reply_rejected(place, index, entry))
            index += 1
        return found

    def routing_key(self, category: str, id: str) -> bytes:
        """What a stream's records are keyed by; the whole id where this application has no such category."""
        aggregate = self._application.aggregates.get(category)
        return routing_key(id, None if aggregate is None else aggregate.routing_parts).encode()

    def _events(self, place: FramePlace, time: bytes, index: int, entry: Accepted[RawEvent]) -> list[OutputRecord]:
        token = f"{place.journal}.{place.shard}.{place.offset}."
        shared = self._shared_headers(time, entry)
        encode_event = self._form.encode
        records = []
        for number, event in enumerate(entry.events, index):
            kind = self._types.get(event.type) or self._new_type(event.type)
            headers = [
                ("ce_id", f"{token}{number}".encode()),
                ("ce_subject", event.id.encode()),
                ("ce_version", b"%d" % event.version),
                *kind.head,
                *shared,
            ]
            key = routing_key(event.id, kind.routing_parts).encode()
            value = encode_event(event.type, bytes(event.data))
            records.append(OutputRecord(kind.topic, place.shard, key, value, headers))
        return records

    def _new_type(self, type: str) -> _EventType:
        category = type.partition("/")[0]
        aggregate = self._application.aggregates.get(category)
        head = (
            ("ce_specversion", b"1.0"),
            ("ce_source", self._source),
            ("ce_type", type.encode()),
            ("content-type", self._form.content_type.encode()),
        )
        parts = None if aggregate is None else aggregate.routing_parts
        made = self._types[type] = _EventType(category, f"{EVENTS}{category}", head, parts)
        return made

    def _shared_headers(self, time: bytes, entry: Accepted[RawEvent]) -> Headers:
        """Of all events of a command. Names of extensions are lower case letters alone, as CloudEvents asks."""
        occurred = time if entry.occurred_at is None else rfc3339(entry.occurred_at)
        headers = [("ce_time", occurred), ("ce_recordedtime", time), ("ce_commandid", entry.command_id.encode())]
        headers.append(("ce_correlationid", (entry.correlation or entry.command_id).encode()))
        for name, text in (
            ("ce_causationid", entry.causation),
            ("ce_tenant", entry.tenant),
            ("ce_actor", entry.actor),
            ("ce_traceparent", entry.traceparent),
        ):
            if text:
                headers.append((name, text.encode()))
        return headers


def rfc3339(microseconds: int) -> bytes:
    """A time in microseconds since 1970 UTC as CloudEvents writes it.

    >>> rfc3339(1_700_000_000_000_001)
    b'2023-11-14T22:13:20.000001Z'
    """
    written = (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")
    return written.removesuffix("+00:00").encode() + b"Z"


def _reply_accepted(place: FramePlace, index: int, entry: Accepted[RawEvent]) -> OutputRecord:
    """What the HTTP interface answers, over a topic."""
    own = [event for event in entry.events if event.id == entry.id and event.type.startswith(f"{entry.category}/")]
    shown = answers.Accepted(
        status=200,
        command_id=entry.command_id,
        events=[answers.RecordedEvent(event.type.split("/")[1], event.version, event.data) for event in own],
        version=own[-1].version if own else None,
        token=Position(place.journal, place.shard, place.offset, index).token,
    )
    return _reply(place, entry, encode(shown), _JSON)


def _reply_rejected(place: FramePlace, index: int, entry: Rejected) -> OutputRecord:
    token = Position(place.journal, place.shard, place.offset, index).token
    outcome = CommandRejected(entry.code, entry.message, entry.details, token)
    return _reply(place, entry, encode(answers.of_outcome(outcome, command_id=entry.command_id)), _PROBLEM)


def _reply(place: FramePlace, entry: Accepted[RawEvent] | Rejected, value: bytes, content_type: bytes) -> OutputRecord:
    headers = [
        ("content-type", content_type),
        ("shardlog-command-id", entry.command_id.encode()),
        ("shardlog-correlation", (entry.correlation or entry.command_id).encode()),
    ]
    return OutputRecord(REPLIES, place.shard, entry.reply_to.encode(), value, headers)
