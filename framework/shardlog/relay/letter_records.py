"""A command's dead letter as a published record: the original bytes as its value, all else in headers. Pure.

Whatever the original is, its letter has a bounded size: one that no broker takes would hold back all that is published.
"""

from __future__ import annotations

from collections.abc import Iterator

from shardlog.ports.originals import Original
from shardlog.ports.outputs import DEAD_LETTERS, OutputRecord
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.publishing import Headers, rfc3339

PREFIX = "dead-letter-"
ORIGINAL_PREFIX = "original-"
"""Before the names of the original record's own headers."""
TEXT_BYTES_MAX = 1_024
"""Of each header that says what happened."""
KEY_BYTES_MAX = 4_096
ORIGINAL_HEADERS_BYTES_MAX = 16_384
"""Of names, their prefix included, and values of the original's headers."""
ORIGINAL_HEADERS_MAX = 256
HEADER_OVERHEAD_BYTES = 10
"""The lengths of a name and a value, as a record has them."""
_TEXTS = 14
_NAME_BYTES = 48
"""More than the longest name of a header of ours."""
LETTER_OVERHEAD_BYTES_MAX = (
    KEY_BYTES_MAX
    + ORIGINAL_HEADERS_BYTES_MAX
    + ORIGINAL_HEADERS_MAX * HEADER_OVERHEAD_BYTES
    + _TEXTS * (TEXT_BYTES_MAX + _NAME_BYTES + HEADER_OVERHEAD_BYTES)
    + 8 * (_NAME_BYTES + HEADER_OVERHEAD_BYTES + 40)
)
"""What a letter's record has at most beside its value: key and headers."""


def letter_record(letter: CommandDeadLetter, original: Original | None, key: bytes, bytes_max: int) -> OutputRecord:
    """The record of a dead letter: at most `bytes_max` of value, and LETTER_OVERHEAD_BYTES_MAX beside it.

    original: the record that it speaks of, None where it speaks of none or that is gone. key: used where the original
    has none. What is longer is cut, and a header says how long it was: `dead-letter-bytes` of the value,
    `dead-letter-key-bytes` of the key, `dead-letter-original-headers` of how many of its headers are left out,
    `dead-letter-cut-texts` of the letter's own texts.
    """
    value: bytes | None = letter.payload.encode() or None
    headers = _texts(letter)
    if original is not None:
        headers += _original_headers(original)
        value, key = original.value, original.key or key
    elif letter.input:
        headers.append((PREFIX + "original", b"gone"))
    if value is not None and len(value) > bytes_max:
        headers.append((PREFIX + "bytes", b"%d" % len(value)))
        value = value[:bytes_max]
    if len(key) > KEY_BYTES_MAX:
        headers.append((PREFIX + "key-bytes", b"%d" % len(key)))
        key = key[:KEY_BYTES_MAX]
    return OutputRecord(DEAD_LETTERS, letter.position.shard, key, value, headers)


def _texts(letter: CommandDeadLetter) -> Headers:
    """What happened, to what."""
    fields = {
        "code": letter.code,
        "message": letter.message,
        "position": letter.position.token,
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
    texts = {name: text.encode() for name, text in fields.items() if text}
    headers = [(PREFIX + name, _cut(text)) for name, text in texts.items()]
    headers.append((PREFIX + "time", rfc3339(letter.time)))
    long = [f"{name}={len(text)}" for name, text in texts.items() if len(text) > TEXT_BYTES_MAX]
    if long:
        headers.append((PREFIX + "cut-texts", " ".join(long).encode()))
    return headers


def _cut(text: bytes) -> bytes:
    """As much of it as is allowed, and no half of a character."""
    return text if len(text) <= TEXT_BYTES_MAX else text[:TEXT_BYTES_MAX].decode(errors="ignore").encode()


def _original_headers(original: Original) -> Headers:
    """The original's own, in their order, as many as there is room for."""
    if original.headers_unread:
        return [(PREFIX + "original-headers", _cut(f"unreadable: {original.headers_unread}".encode()))]
    kept = list(_that_fit(original))
    left_out = len(original.headers) - len(kept)
    if left_out:
        total = sum(len(name.encode()) + len(text or b"") for name, text in original.headers)
        said = f"{left_out} of {len(original.headers)} left out, {total} bytes in all"
        kept.append((PREFIX + "original-headers", said.encode()))
    return kept


def _that_fit(original: Original) -> Iterator[tuple[str, bytes]]:
    """Each that fits into what those before it have left: a long one does not hide the short ones behind it."""
    room, count = ORIGINAL_HEADERS_BYTES_MAX, 0
    for name, text in original.headers:
        size = len(ORIGINAL_PREFIX) + len(name.encode()) + len(text or b"")
        if size <= room and count < ORIGINAL_HEADERS_MAX:
            room, count = room - size, count + 1
            yield ORIGINAL_PREFIX + name, b"" if text is None else text
