"""A command's dead letter read back from the record that was published of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shardlog.errors import InvalidToken
from shardlog.model.recorded import Position
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.letter_records import PREFIX

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_letter(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> CommandDeadLetter | None:
    """The reverse of `letter_record`; None for a record that is no dead letter of a command.

    original: the record's value where it came from an input and is not gone; it may have been cut.
    """
    told = {name: text.decode(errors="replace") for name, text in headers if text is not None}
    fields = {name.removeprefix(PREFIX): text for name, text in told.items() if name.startswith(PREFIX)}
    try:
        position = Position.parse(fields["position"])
        time = (datetime.fromisoformat(fields["time"]) - _EPOCH) // timedelta(microseconds=1)
        offset = int(fields.get("input-offset", "0"))
        code = fields["code"]
    except (KeyError, ValueError, InvalidToken):
        return None
    is_of_input = bool(fields.get("input"))
    is_gone = fields.get("original") == "gone"
    return CommandDeadLetter(
        position=position,
        code=code,
        message=fields.get("message", ""),
        time=time,
        category=fields.get("category", ""),
        id=fields.get("stream", ""),
        command=fields.get("command", ""),
        command_id=fields.get("command-id", ""),
        manager=fields.get("manager", ""),
        tenant=fields.get("tenant", ""),
        actor=fields.get("actor", ""),
        correlation=fields.get("correlation", ""),
        causation=fields.get("causation", ""),
        payload="" if is_of_input or value is None else value.decode(errors="replace"),
        input=fields.get("input", ""),
        input_offset=offset,
        original=(value or b"") if is_of_input and not is_gone else None,
    )
