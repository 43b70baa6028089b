"""Holds what clients were told over HTTP against what stands in the journal."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from shardlog.codec.json import encode
from shardlog.journal.records import Accepted, Rejected
from tests.services.http_load import Operation, Reply
from tests.services.processes import Entry, Left

REQUEST_CHANNEL = "http"
UNRECORDED = frozenset({"unavailable", "outcome_unknown"})


class Counted(NamedTuple):
    """What was checked, so that a check that saw nothing is noticed."""

    answers: int
    accepted: int
    refused: int
    repeats: int
    unanswered: int
    unanswered_and_applied: int


def check(operations: Sequence[Operation], left: Sequence[Left]) -> Counted:
    """Raises AssertionError, naming the command, where a promise was not kept."""
    places: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for shard in left:
        for found in shard.entries:
            if getattr(found.entry, "channel", "") == REQUEST_CHANNEL:
                places[found.entry.id, found.entry.command_id].append(found)
    known = {(operation.id, operation.command_id): operation for operation in operations}
    for key in places:
        assert key in known, f"{key} stands in the journal, and nobody has sent it"
    for key, operation in known.items():
        _check_operation(operation, places.get(key, []))
    _check_order(operations, left)
    replies = [reply for operation in operations for reply in operation.replies]
    unanswered = [operation for operation in operations if not operation.replies]
    return Counted(
        answers=len(replies),
        accepted=sum(reply.code == "accepted" for reply in replies),
        refused=sum(reply.code not in UNRECORDED | {"accepted"} for reply in replies),
        repeats=sum(max(0, operation.sendings - 1) for operation in operations),
        unanswered=len(unanswered),
        unanswered_and_applied=sum((o.id, o.command_id) in places for o in unanswered),
    )


def _check_operation(operation: Operation, found: Sequence[Entry]) -> None:
    name = f"{operation.command_id} ({operation.command} on {operation.id})"
    times = f"sent at {[round(at - operation.sent_s[0], 1) for at in operation.sent_s]} s"
    assert len(found) <= 1, f"{name}, {times}, stands in the journal at {[entry.token for entry in found]}"
    told = [reply for reply in operation.replies if reply.code not in UNRECORDED]
    assert all(reply == told[0] for reply in told), f"{name} was told different things: {told}"
    for reply in told:
        assert found, f"{name} was told {reply}, and does not stand in the journal"
        _check_reply(name, operation, reply, found[0])
    if operation.replies and not told:
        is_open = operation.is_given_up or "outcome_unknown" in {reply.code for reply in operation.replies}
        assert is_open or not found, f"{name} was told that it was not applied, and stands in the journal"


def _check_reply(name: str, operation: Operation, reply: Reply, found: Entry) -> None:
    entry = found.entry
    assert reply.token == found.token, f"{name} was told {reply.token}, and stands at {found.token}"
    if isinstance(entry, Rejected):
        assert reply.code == entry.code, f"{name} was told {reply.code}, and the journal says {entry.code}"
        assert reply.status in (409, 412, 400), f"{name}: {reply}"
        return
    assert isinstance(entry, Accepted)
    assert reply.code == "accepted", f"{name} was told {reply.code}, and was accepted"
    own = [event for event in entry.events if event.id == operation.id]
    wanted = [(event.version, json.loads(encode(event.data))) for event in own]
    assert [(event["version"], event["data"]) for event in reply.events] == wanted, f"{name} was told other events"
    assert reply.version == (wanted[-1][0] if wanted else None), f"{name} was told version {reply.version}"


def _check_order(operations: Sequence[Operation], left: Sequence[Left]) -> None:
    """A client's commands that were sent once stand in each shard in the order in which it sent them."""
    order = {found.token: place for shard in left for place, found in enumerate(shard.entries)}
    last: dict[tuple[str, str], int] = {}
    for operation in operations:
        if operation.sendings == 1 and operation.replies and operation.replies[0].token is not None:
            client = operation.client, operation.id.partition(":")[0]
            place = order[operation.replies[0].token]
            assert place > last.get(client, -1), f"{operation.command_id} stands before what its client sent earlier"
            last[client] = place


def check_money(left: Sequence[Left]) -> int:
    """What came in and did not leave is in the accounts, and nothing is on its way. Returns how much."""
    total = 0
    for shard in left:
        for _, entry in shard.entries:
            for event in getattr(entry, "events", ()):
                total += {"Deposited": 1, "Withdrawn": -1}.get(type(event.data).__name__, 0) * _amount(event.data)
    held = reserved = 0
    for shard in left:
        for bucket in shard.state.registry.categories["account"].buckets:
            held += sum(slot.state.balance for slot in bucket.values())
            reserved += sum(sum(slot.state.reserved.values()) for slot in bucket.values())
    assert reserved == 0, f"{reserved} cents are still on their way"
    assert held == total, f"{total} cents came in, and {held} are there"
    return total


def _amount(event: Any) -> int:
    return int(getattr(event, "amount", 0))
