"""A command's dead letter as a published record: the original bytes as its value, all else in headers. Pure."""

from __future__ import annotations

from shardlog.ports.originals import Original
from shardlog.ports.outputs import DEAD_LETTERS, OutputRecord
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.publishing import rfc3339

PREFIX = "dead-letter-"
ORIGINAL_PREFIX = "original-"
"""Before the names of the original record's own headers."""


def letter_record(letter: CommandDeadLetter, original: Original | None, key: bytes, bytes_max: int) -> OutputRecord:
    """The record of a dead letter.

    original: the record that it speaks of, None where it speaks of none or that is gone. key: used where the original
    has none. bytes_max: a longer value is cut, and `dead-letter-bytes` says how long it was.
    """
    position = letter.position
    fields = {
        "code": letter.code,
        "message": letter.message,
        "position": position.token,
        "category": letter.category,
        "stream": letter.id,
        "command": letter.command,
        "command-id": letter.command_id,
        "manager": letter.manager,
        "tenant": letter.tenant,
        "actor": letter.actor,
        "correlation": letter.correlation,
        "causation": letter.causation,
        "input": letter.input,
        "input-offset": str(letter.input_offset) if letter.input else "",
    }
    headers = [(PREFIX + name, text.encode()) for name, text in fields.items() if text]
    headers.append((PREFIX + "time", rfc3339(letter.time)))
    value: bytes | None = letter.payload.encode() or None
    if original is not None:
        headers += [(ORIGINAL_PREFIX + name, b"" if text is None else text) for name, text in original.headers]
        value, key = original.value, original.key or key
    elif letter.input:
        headers.append((PREFIX + "original", b"gone"))
    if value is not None and len(value) > bytes_max:
        headers.append((PREFIX + "bytes", b"%d" % len(value)))
        value = value[:bytes_max]
    return OutputRecord(DEAD_LETTERS, position.shard, key, value, headers)
