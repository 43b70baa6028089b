"""The record of a command, as inputs hold it and relays carry it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from shardlog.journal.records import Count, Origin

RECORD_FORMAT: Literal[1] = 1


class CommandRecord(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """What a record of a commands topic or a feeder holds, as a JSON array in this order.

    format: 1. id: the stream's. command: its wire name. command_id: 1 to 128 printable characters, "" for none.
    expected_version: refuse unless the stream stands there. occurred_at: microseconds since 1970 UTC, null for the
    frame's time. payload: the command as a JSON object. origin: only on what a relay carries.
    """

    format: Literal[1]
    category: str
    id: str
    command: str
    command_id: str
    tenant: str
    actor: str
    correlation: str
    causation: str
    traceparent: str
    reply_to: str
    expected_version: Count | None
    occurred_at: Count | None
    payload: msgspec.Raw
    origin: Origin | None = None


decode_record: Callable[[bytes | msgspec.Raw], CommandRecord] = msgspec.json.Decoder(CommandRecord).decode
"""Decodes a record. It raises one of `shardlog.codec.json.NOT_DECODED`."""
