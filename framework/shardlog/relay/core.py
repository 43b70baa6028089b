"""From a frame to what a relay does with it: sends to carry on, records to forward, dead letters to store. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from shardlog.codec.json import NOT_DECODED
from shardlog.errors import ENGINE_CODES, InputChanged
from shardlog.ids import uuid8
from shardlog.journal.command_record import RECORD_FORMAT, CommandRecord, decode_record
from shardlog.journal.records import (
    Accepted,
    Entry,
    Forwarded,
    FrameBody,
    Origin,
    RawEvent,
    Rejected,
    SendRecord,
    Unreadable,
)
from shardlog.journal.sends import send_command_id
from shardlog.model.application import Application
from shardlog.model.recorded import Position
from shardlog.ports.relay import CommandDeadLetter
from shardlog.ports.sends import At

_encode = msgspec.json.Encoder().encode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ORIGIN_ELEMENT = CommandRecord.__struct_fields__.index("origin")
_COMMAND_ID_ELEMENT = CommandRecord.__struct_fields__.index("command_id")


class FramePlace(NamedTuple):
    """Where a valid frame stands. shard: the source of its sends. epoch, seq: what they are numbered in."""

    journal: str
    shard: int
    offset: int
    epoch: int
    seq: int


class Forward(NamedTuple):
    """A record of an input that is to be fetched at `offset` of the source shard, and given this origin."""

    input: str
    offset: int
    origin: Origin


Content: TypeAlias = bytes | Forward


class UnderWay(NamedTuple):
    """A send that its target has not received yet. content: the command's record, or where its bytes are."""

    target: int
    at: At
    content: Content


class Found(NamedTuple):
    """What a frame holds for a relay."""

    sends: Sequence[UnderWay]
    letters: Sequence[CommandDeadLetter]


def read_frame(application: Application, place: FramePlace, frame: FrameBody[RawEvent]) -> Found:
    """Everything in a frame that is to be carried, forwarded or stored as a dead letter, in order."""
    sends: list[UnderWay] = []
    letters: list[CommandDeadLetter] = []
    index = 0
    for entry in frame.entries:
        if isinstance(entry, Accepted):
            for send in entry.sends:
                sends.append(_carried(place, len(sends), entry, send))
            index += len(entry.events) or 1
            continue
        if isinstance(entry, Rejected):
            for send in entry.sends:
                sends.append(_carried(place, len(sends), entry, send))
        elif isinstance(entry, Forwarded):
            origin = Origin("", place.shard, place.epoch, place.seq, len(sends), entry.previous)
            at = (place.epoch, place.seq, len(sends))
            sends.append(UnderWay(entry.shard, at, Forward(entry.input, entry.offset, origin)))
        letter = dead_letter_of(application, place, frame.time, index, entry)
        if letter is not None:
            letters.append(letter)
        index += 1
    return Found(sends, letters)


def dead_letter_of(
    application: Application, place: FramePlace, time: int, index: int, entry: Entry
) -> CommandDeadLetter | None:
    """The dead letter of an entry that leads to one. time: of the frame. index: the entry's first."""
    if isinstance(entry, Rejected):
        return _refused(place, time, index, entry) if is_dead_letter(application, entry) else None
    return _unreadable(place, time, index, entry) if isinstance(entry, Unreadable) else None


def is_dead_letter(application: Application, entry: Rejected) -> bool:
    """Whether nobody goes on from this refusal.

    That is one by the engine of a command that nobody waits for, or a business rejection of a process manager's
    command that the manager does not hear. A rejection that led to sends was heard, whatever its manager hears now.
    """
    if entry.code in ENGINE_CODES:
        return entry.origin is not None or entry.source is not None
    if entry.origin is None or not entry.origin.manager or entry.sends:
        return False
    manager = application.process_managers.get(entry.origin.manager)
    aggregate = application.aggregates.get(entry.category)
    command = None if aggregate is None else aggregate.commands_by_name.get(entry.command)
    return manager is None or command is None or command not in manager.rejection_handlers


def forwarded_record(value: bytes, forward: Forward) -> bytes:
    """A record of an input with its origin, and the command id that it would have had where it was read.

    Raises InputChanged for bytes that are no command's record: they were one when the shard that forwards read them,
    and their target would stop at them.
    """
    try:
        record = decode_record(value)
        elements = _decode_elements(value)[:_ORIGIN_ELEMENT]
    except NOT_DECODED as error:
        raise changed(forward, f"is no command's record any more ({error})") from error
    if record.origin is not None:
        raise changed(forward, "has an origin now, and had none")
    if not record.command_id:
        id = uuid8(forward.input, forward.origin.shard, forward.offset)
        elements[_COMMAND_ID_ELEMENT] = msgspec.Raw(_encode(id))
    return _encode([*elements, forward.origin])


def changed(forward: Forward, why: str) -> InputChanged:
    """What to raise for a record that an input does not give as it was."""
    return InputChanged(
        f"the record of input {forward.input!r} at offset {forward.offset} of shard {forward.origin.shard} {why}. It "
        "belongs to another shard and is to be forwarded, and what that shard is to receive behind it waits: give the "
        "input back the records that it had"
    )


def _carried(place: FramePlace, number: int, entry: Accepted[RawEvent] | Rejected, send: SendRecord) -> UnderWay:
    """A process manager's command as its target takes it: part of the process of the entry that it stands in."""
    journal, shard, _, epoch, seq = place
    record = (
        RECORD_FORMAT,
        send.category,
        send.id,
        send.command,
        send_command_id(journal, shard, epoch, seq, number),
        entry.tenant,
        entry.actor,
        entry.correlation or entry.command_id,
        entry.command_id,
        entry.traceparent,
        "",
        None,
        None,
        send.payload,
        Origin(send.manager, shard, epoch, seq, number, send.previous),
    )
    return UnderWay(send.shard, (epoch, seq, number), _encode(record))


def _refused(place: FramePlace, time: int, index: int, entry: Rejected) -> CommandDeadLetter:
    payload = bytes(entry.payload).decode()
    input, offset = entry.source or ("", 0)
    return CommandDeadLetter(
        position=Position(place.journal, place.shard, place.offset, index),
        code=entry.code,
        message=entry.message,
        time=time,
        category=entry.category,
        id=entry.id,
        command=entry.command,
        command_id=entry.command_id,
        manager="" if entry.origin is None else entry.origin.manager,
        tenant=entry.tenant,
        actor=entry.actor,
        correlation=entry.correlation or entry.command_id,
        causation=entry.causation,
        payload="" if payload == "null" else payload,
        input=input,
        input_offset=offset,
    )


def _unreadable(place: FramePlace, time: int, index: int, entry: Unreadable) -> CommandDeadLetter:
    return CommandDeadLetter(
        position=Position(place.journal, place.shard, place.offset, index),
        code=entry.code,
        message=entry.message,
        time=time,
        input=entry.input,
        input_offset=entry.offset,
    )
