"""What clients were told, against what the journal holds: once, where it was said, in order, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from shardlog.executor.requests import CommandRecord
from shardlog.ids import time_in_id
from shardlog.model.outcomes import CommandAccepted, CommandRejected, CommandUnavailable
from shardlog.testing.simulation.environment import WINDOW_MS
from shardlog.testing.simulation.finding import Finding
from shardlog.testing.simulation.history import Attempt, Operation, Place, place_of


class Occurrence(NamedTuple):
    """An entry of a request. last: the place that its token names. time: of its frame, microseconds since 1970 UTC."""

    offset: int
    last: Place
    time: int
    entry: dict[str, Any]


def check_operation(operation: Operation, found: Sequence[Occurrence]) -> None:
    """What was told of a command is what the journal holds of it. Raises Finding."""
    for earlier, later in pairwise(found):
        issued = time_in_id(operation.record.command_id)
        if issued is not None or later.time - earlier.time <= WINDOW_MS * 1000:
            raise Finding(f"{operation.key} is applied twice, at offsets {earlier.offset} and {later.offset}")
    if found and found[0].last <= operation.floor:
        why = f"before {operation.floor}, which was acknowledged before it was sent"
        raise Finding(f"{operation.key} stands at {found[0].last}, {why}")
    for attempt in operation.attempts:
        _check_attempt(attempt, found)
    if found and all(_says_not_applied(attempt) for attempt in operation.attempts):
        raise Finding(f"{operation.key} stands at {found[0].offset}, and every attempt was answered as not applied")


def _check_attempt(attempt: Attempt, found: Sequence[Occurrence]) -> None:
    outcome, operation = attempt.outcome, attempt.operation
    place = place_of(outcome)
    if place is None:
        if isinstance(outcome, CommandAccepted):
            raise Finding(f"{operation.key} was accepted without a place")
        return
    occurrence = next((o for o in found if o.last == place), None)
    if occurrence is None:
        stands = [other.last for other in found]
        raise Finding(f"{operation.key} was acknowledged at {place}, and does not stand there but at {stands}")
    entry = occurrence.entry
    if entry["check"] != check_of(attempt.record):
        raise Finding(f"{operation.key}: an attempt is answered with the outcome of another payload")
    if isinstance(outcome, CommandRejected):
        if entry["tag"] != "r" or entry["code"] != outcome.code:
            raise Finding(f"{operation.key} was told {outcome.code}, and the journal holds {entry}")
        return
    assert isinstance(outcome, CommandAccepted)
    own = [(version, data) for _, id, version, data in entry.get("events", ()) if id == entry["id"]]
    told = [json.loads(msgspec.json.encode(event)) for event in outcome.events]
    if entry["tag"] != "a" or told != [d for _, d in own] or outcome.version != (own[-1][0] if own else None):
        raise Finding(f"{operation.key} was told {outcome}, and the journal holds {entry}")


def _says_not_applied(attempt: Attempt) -> bool:
    """Whether the client was told that this attempt left nothing."""
    outcome = attempt.outcome
    if isinstance(outcome, CommandUnavailable):
        return outcome.code == "unavailable"
    return isinstance(outcome, CommandRejected) and outcome.token is None and outcome.code != "id_reused"


def check_of(record: CommandRecord) -> int:
    """PROTOCOL's CHECK of what was sent."""
    check = crc32(record.command.encode() + b"\0" + bytes(record.payload))
    if record.expected_version is None and record.occurred_at is None:
        return check
    return crc32(b"\0" + msgspec.json.encode((record.expected_version, record.occurred_at)), check)
