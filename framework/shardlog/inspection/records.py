"""The records of a shard as people see them: frames and claims in plain words, and why the others are invalid.

Nothing of the domain's code is needed: events keep the JSON that they were written as.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from shardlog.codec.json import NOT_DECODED
from shardlog.errors import UnknownFormat
from shardlog.journal.envelope import envelope_of
from shardlog.journal.reader import ClaimTaken, FrameTaken, Reader
from shardlog.journal.records import (
    Accepted,
    ClaimBody,
    Entry,
    Forwarded,
    FrameBody,
    RawEvent,
    Unreadable,
    decode_claim,
    decode_raw_frame,
    entry_indexes,
)
from shardlog.ports.journal import Journal


class SeenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record and its verdict.

    bytes: of its value. epoch, seq: where it stands, seq 0 for a claim; for an invalid record what it says of itself,
    0 where it says nothing. reason: why it is invalid. claim, frame: what a valid one holds.
    """

    shard: int
    offset: int
    kind: Literal["frame", "claim", "invalid"]
    bytes: int
    epoch: int
    seq: int
    reason: str = ""
    claim: ClaimBody | None = None
    frame: FrameBody[RawEvent] | None = None


class SeenEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a frame. index: of its first event, or its own. outcome: accepted, or the code of a refusal."""

    index: int
    outcome: str
    category: str = ""
    id: str = ""
    command: str = ""
    command_id: str = ""
    channel: str = ""
    actor: str = ""
    message: str = ""
    events: tuple[RawEvent, ...] = ()
    sends: int = 0


def records(journal: Journal, reader: Reader) -> Iterator[SeenRecord]:
    """Every record from the reader's place to the end as known now.

    Raises Corrupt, Diverged (rule R6), UnknownFormat (rule R4) and Truncated at the record that must stop a reader.
    """
    for offset, value in journal.read(reader.shard, reader.position):
        verdict = reader.pass_over(offset, value)
        shown: dict[str, object] = {"epoch": reader.epoch, "seq": reader.seq}
        if isinstance(verdict, FrameTaken):
            shown |= {"kind": "frame", "frame": decoded_frame(reader.shard, offset, verdict.body)}
        elif isinstance(verdict, ClaimTaken):
            shown |= {"kind": "claim", "claim": _claim(reader.shard, offset, verdict.body)}
        else:
            shown |= {"kind": "invalid", "reason": verdict.reason, **_said(value)}
        yield SeenRecord(shard=reader.shard, offset=offset, bytes=len(value), **shown)  # type: ignore[arg-type]  # as above


def decoded_frame(shard: int, offset: int, body: memoryview) -> FrameBody[RawEvent]:
    """A valid frame's body, its events as they were written. Raises UnknownFormat."""
    try:
        return decode_raw_frame(body)
    except NOT_DECODED as error:
        raise UnknownFormat(shard, offset, f"a valid frame does not decode as format 1: {error}") from error


def entries(frame: FrameBody[RawEvent]) -> Iterator[SeenEntry]:
    """A frame's entries, in order."""
    index = 0
    for entry in frame.entries:
        yield _entry(index, entry)
        index += entry_indexes(entry)


def why_invalid(record: SeenRecord, reader: Reader) -> str:
    """The reader's reason in a sentence. reader: the one that judged it, where it stands behind it."""
    of, epoch, seq = record, reader.epoch, reader.seq
    return {
        "foreign": "these bytes are no record of shardlog",
        "malformed": "it begins as a record of format 1, and its envelope is none",
        "journal": f"it was written for another journal than {reader.journal}",
        "shard": f"it was written for another shard than {reader.shard}",
        "shards": f"it was written for a journal that has not {reader.shards} shards",
        "epoch": f"it is of epoch {of.epoch}, and epoch {epoch} holds: its writer had lost the shard, or came late",
        "nonce": f"it is of another claim of epoch {of.epoch}, one that did not win",
        "seq": f"it is number {of.seq} of its epoch, and {seq + 1} is next: one before it is missing, or it is a copy",
    }[record.reason]


def _claim(shard: int, offset: int, body: memoryview) -> ClaimBody:
    try:
        return decode_claim(body)
    except NOT_DECODED as error:
        raise UnknownFormat(shard, offset, f"a valid claim does not decode as format 1: {error}") from error


def _said(value: bytes) -> dict[str, object]:
    envelope = envelope_of(value)
    return {"epoch": 0, "seq": 0} if envelope is None else {"epoch": int(envelope.epoch), "seq": int(envelope.seq)}


def _entry(index: int, entry: Entry) -> SeenEntry:
    if isinstance(entry, Forwarded):
        return SeenEntry(index=index, outcome="forwarded", message=f"{entry.input}, offset {entry.offset}")
    if isinstance(entry, Unreadable):
        where = f"{entry.input}, offset {entry.offset}: {entry.message}"
        return SeenEntry(index=index, outcome=entry.code, message=where)
    common: dict[str, Any] = {
        "category": entry.category,
        "id": entry.id,
        "command": entry.command,
        "command_id": entry.command_id,
        "channel": entry.channel,
        "actor": entry.actor,
    }
    if isinstance(entry, Accepted):
        events, sends = tuple(entry.events), len(entry.sends)
        return SeenEntry(index=index, outcome="accepted", events=events, sends=sends, **common)
    return SeenEntry(index=index, outcome=entry.code, message=entry.message, sends=len(entry.sends), **common)
