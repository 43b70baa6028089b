"""The history checker: reads the journal after a run, by rules of its own, and holds the engine to its promises."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

import msgspec

from shardlog.errors import ENGINE_CODES
from shardlog.executor.requests import CommandRecord, decode_record
from shardlog.ids import time_in_id, uuid8
from shardlog.model.outcomes import CommandAccepted, CommandRejected, CommandUnavailable
from shardlog.testing.simulation.books import Books, Refusal, SendFields
from shardlog.testing.simulation.clients import shard_of_account
from shardlog.testing.simulation.environment import JOURNAL, WINDOW_MS
from shardlog.testing.simulation.feeds import Feed
from shardlog.testing.simulation.finding import Finding
from shardlog.testing.simulation.history import Attempt, History, Operation, Place, place_of
from shardlog.testing.simulation.log import ValidFrame, valid_frames

Place3: TypeAlias = tuple[int, int, int]
"""Shard, offset, index."""
REQUEST_CHANNELS = frozenset({"http", "grpc", "local"})
COMMON = (
    "tag", "category", "id", "command", "command_id", "tenant", "actor", "channel", "correlation", "causation",
    "traceparent", "occurred_at", "check", "origin", "reply_to",
)  # fmt: skip
"""What accepted and rejected entries begin with."""


class Sent(NamedTuple):
    """A send as it stands in its source's frame. at: epoch, seq, number. payload: None for a forward."""

    at: tuple[int, int, int]
    target: int
    previous: tuple[int, int, int] | None
    manager: str
    id: str
    command: str
    payload: dict[str, Any]


class Occurrence(NamedTuple):
    """An entry of a request. last: the place that its token names. time: of its frame."""

    offset: int
    last: Place
    time: int
    entry: dict[str, Any]


class Checker:
    """Checks one run. Every method raises Finding for a promise that does not hold."""

    def __init__(self, history: History, feeds: tuple[Feed, ...], logs: list[list[bytes]], is_at_rest: bool) -> None:
        self._history = history
        self._feeds = feeds
        self._is_at_rest = is_at_rest
        shards = len(logs)
        self.frames = [valid_frames(JOURNAL, shard, shards, log) for shard, log in enumerate(logs)]
        self.books = Books()
        self._shards = shards
        self._operations = {operation.key: operation for operation in history.operations}
        self._occurrences: dict[tuple[str, str, str], list[Occurrence]] = defaultdict(list)
        self._sent: list[list[Sent]] = [[] for _ in range(shards)]
        self.entries = 0
        self.dead_letters: list[Place3] = []

    def check(self) -> None:
        """All of it."""
        for shard in range(self._shards):
            self._collect_sends(shard)
        for shard in range(self._shards):
            self._check_shard(shard)
        for operation in self._history.operations:
            self._check_operation(operation)
        for reading in self._history.readings:
            if reading.found is not None:
                state: Any = reading.found.state
                self.books.check_reading(reading.id, reading.found.version, state.balance, dict(state.reserved))
        self.books.check_money(self._is_at_rest)

    # -- the journal ---------------------------------------------------------------------------------------------------
    def _collect_sends(self, shard: int) -> None:
        last: dict[int, tuple[int, int, int]] = {}
        for frame in self.frames[shard]:
            number = 0
            for entry in frame.body[2]:
                for send in self._sends_of(shard, entry):
                    at = (frame.epoch, frame.seq, number)
                    number += 1
                    target, previous = send[0], send[1]
                    if (None if previous is None else tuple(previous)) != last.get(target):
                        raise Finding(f"shard {shard}: send {at} names {previous} before it, not {last.get(target)}")
                    self._sent[shard].append(Sent(at, target, last.get(target), *send[2:]))
                    last[target] = at

    def _sends_of(self, shard: int, entry: list[Any]) -> list[tuple[Any, ...]]:
        """Target, previous, manager, id, command and payload of each send of an entry."""
        if entry[0] == "f":
            record = decode_record(self._feed(entry[1]).records[shard][entry[2]])
            return [(entry[3], entry[4], "", record.id, record.command, json.loads(bytes(record.payload)))]
        if entry[0] == "x":
            return []
        return [(target, previous, manager, id, command, payload)
                for manager, _, id, command, payload, target, previous in entry[-1]]  # fmt: skip

    def _check_shard(self, shard: int) -> None:
        time = 0
        settled = {feed.name: _Settled(feed, shard) for feed in self._feeds}
        received = [iter(s for s in self._sent[source] if s.target == shard) for source in range(self._shards)]
        for frame in self.frames[shard]:
            if frame.body[0] < time:
                raise Finding(f"shard {shard}, offset {frame.offset}: its time is before that of the frame before it")
            time = frame.body[0]
            index = 0
            sends = iter([s for s in self._sent[shard] if s.at[:2] == (frame.epoch, frame.seq)])
            for fields in frame.body[2]:
                index += self._check_entry(shard, frame, index, fields, settled, received, sends)
            for name, next_offset in frame.body[1].items():
                settled[name].move(shard, frame.offset, next_offset)
        for name, feed in settled.items():
            if self._is_at_rest and feed.next != len(feed.records):
                raise Finding(f"shard {shard}: {name} is settled to {feed.next} of {len(feed.records)}")
        for source, rest in enumerate(received):
            lost = next(rest, None)
            if self._is_at_rest and lost is not None:
                raise Finding(f"shard {shard}: a send of shard {source} is lost: {lost}")

    def _check_entry(
        self, shard: int, frame: ValidFrame, index: int, fields: list[Any], settled: dict[str, _Settled],
        received: list[Any], sends: Any,
    ) -> int:  # fmt: skip
        """One entry; returns how many indexes it takes."""
        self.entries += 1
        where = f"shard {shard}, offset {frame.offset}, index {index}"
        if fields[0] in ("f", "x"):
            settled[fields[1]].take(where, fields[2], fields[0])
            if fields[0] == "f":
                next(sends)
            else:
                self.dead_letters.append((shard, frame.offset, index))
            return 1
        entry = dict(zip(COMMON, fields, strict=False))
        count = max(1, len(fields[15])) if fields[0] == "a" else 1
        record = self._command_of(where, shard, entry, fields, settled, received)
        if fields[0] == "r" and fields[15] in ENGINE_CODES and (entry["origin"] or fields[19]):
            self.dead_letters.append((shard, frame.offset, index))
        if entry["channel"] in REQUEST_CHANNELS:
            key = (entry["category"], entry["id"], entry["command_id"])
            entry |= {"events": fields[15]} if fields[0] == "a" else {"code": fields[15]}
            last = (frame.offset, index + count - 1)
            self._occurrences[key].append(Occurrence(frame.offset, last, frame.body[0], entry))
        self._check_decision(where, record, entry, fields, list(_take(sends, len(fields[-1]))))
        return count

    def _command_of(
        self, where: str, shard: int, entry: dict[str, Any], fields: list[Any], settled: dict[str, _Settled],
        received: list[Any],
    ) -> tuple[str, dict[str, Any], int | None]:  # fmt: skip
        """What was sent: command, payload, expected version."""
        if entry["origin"] is not None:
            return self._received(where, shard, entry, received)
        if entry["channel"] in REQUEST_CHANNELS:
            operation = self._operations.get((entry["category"], entry["id"], entry["command_id"]))
            if operation is None:
                raise Finding(f"{where}: nobody has sent {entry['command_id']} to {entry['id']}")
            record = next((r for r in operation.variants if _check_of(r) == entry["check"]), None)
            if record is None:
                raise Finding(f"{where}: {entry['command_id']} was sent with another payload")
            return record.command, json.loads(bytes(record.payload)), record.expected_version
        source = fields[19] if fields[0] == "r" else None
        feed = settled["feeder:feed:1" if entry["channel"] == "feeder" else "kafka:commands:1"]
        record = feed.command(where, entry, None if source is None else source[1])
        return record.command, json.loads(bytes(record.payload)), record.expected_version

    def _received(
        self, where: str, shard: int, entry: dict[str, Any], received: list[Any]
    ) -> tuple[str, dict[str, Any], int | None]:
        manager, source, *at, previous = entry["origin"]
        sent: Sent | None = next(received[source], None)
        if sent is None or sent.at != tuple(at):
            raise Finding(f"{where}: takes send {tuple(at)} of shard {source}, and {sent} is next: one is lost or repeated")
        same = (sent.manager, sent.id, sent.command, list(sent.previous or ()) or None)
        if same != (manager, entry["id"], entry["command"], previous):
            raise Finding(f"{where}: send {tuple(at)} of shard {source} was {sent}, and is taken as {entry}")
        if manager and entry["command_id"] != uuid8(JOURNAL, source, *at):
            raise Finding(f"{where}: send {tuple(at)} of shard {source} has the command id {entry['command_id']}")
        return sent.command, sent.payload, None

    def _check_decision(
        self, where: str, sent: tuple[str, dict[str, Any], int | None], entry: dict[str, Any], fields: list[Any],
        sends: list[Sent],
    ) -> None:  # fmt: skip
        """Decide the command again on the history before it, and compare."""
        command, given, expected = sent
        id, books = entry["id"], self.books
        try:
            if expected is not None and expected != books.versions.get(id, 0):
                raise Refusal("wrong_version")
            wanted = books.decide(id, command, given)
        except Refusal as refusal:
            code = str(refusal)
            if fields[0] != "r" or fields[15] != code:
                raise Finding(f"{where}: {command} {given} on {id} must be refused with {code}, and is {fields}") from None
            heard = books.refused(command, given, code) if code not in ENGINE_CODES and entry["origin"] is not None else []
            self._check_sends(where, heard, sends)
            return
        if fields[0] != "a":
            raise Finding(f"{where}: {command} {given} on {id} must be accepted, and is {fields[15]}")
        found = [(tag, at, version, data) for tag, at, version, data in fields[15]]
        heard = []
        for (name, at, data), (tag, its_id, version, its_data) in zip(wanted, found, strict=False):
            if name == "payment_started":
                data = data | {"payment": its_data["payment"]}
            if (f"account/{name}/1", at, data) != (tag, its_id, its_data):
                raise Finding(f"{where}: {command} on {id} must give {name} {data}, and gave {tag} {its_data}")
            heard += books.happen(name, at, version, its_data)
        books.show({at for _, at, _, _ in found})
        if len(wanted) != len(found):
            raise Finding(f"{where}: {command} on {id} must give {len(wanted)} events, and gave {len(found)}")
        self._check_sends(where, heard, sends)

    def _check_sends(self, where: str, wanted: list[SendFields], sends: list[Sent]) -> None:
        found = [(s.id, s.command, s.payload) for s in sends]
        if found != wanted or any(s.target != shard_of_account(s.id, self._shards) for s in sends):
            raise Finding(f"{where}: the process manager must send {wanted}, and sends {sends}")

    # -- what clients were told ----------------------------------------------------------------------------------------
    def _check_operation(self, operation: Operation) -> None:
        found = self._occurrences.get(operation.key, [])
        for earlier, later in zip(found, found[1:], strict=False):
            issued = time_in_id(operation.record.command_id)
            if issued is not None or later.time - earlier.time <= WINDOW_MS * 1000:
                raise Finding(f"{operation.key} is applied twice, at offsets {earlier.offset} and {later.offset}")
        if found and found[0].last <= operation.floor:
            raise Finding(f"{operation.key} stands at {found[0].last}, before {operation.floor}, which was acknowledged before it was sent")  # noqa: E501  # fmt: skip
        for attempt in operation.attempts:
            self._check_attempt(attempt, found)
        if found and all(_says_not_applied(attempt) for attempt in operation.attempts):
            raise Finding(f"{operation.key} stands at {found[0].offset}, and every attempt was answered as not applied")

    def _check_attempt(self, attempt: Attempt, found: list[Occurrence]) -> None:
        outcome, operation = attempt.outcome, attempt.operation
        place = place_of(outcome)
        if place is None:
            if isinstance(outcome, CommandAccepted):
                raise Finding(f"{operation.key} was accepted without a place")
            return
        occurrence = next((o for o in found if o.last == place), None)
        if occurrence is None:
            raise Finding(f"{operation.key} was acknowledged at {place}, and does not stand there but at {[o.last for o in found]}")  # noqa: E501  # fmt: skip
        entry = occurrence.entry
        if entry["check"] != _check_of(attempt.record):
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

    def _feed(self, name: str) -> Feed:
        return next(feed for feed in self._feeds if feed.name == name)


class _Settled:
    """How far one input of a shard is settled. Each record must be settled once, in order."""

    def __init__(self, feed: Feed, shard: int) -> None:
        self.name = feed.name
        self.records = feed.records[shard]
        self.next = 0
        self._taken = -1
        self._ids: set[tuple[str, str]] = set()
        self._is_counted = feed.name.startswith("kafka:")

    def take(self, where: str, offset: int, tag: str) -> None:
        """The record at this offset is settled by an entry; those between must be repeats."""
        for passed in range(self._taken + 1, offset):
            if not self._is_repeat(passed):
                raise Finding(f"{where}: {self.name} offset {passed} is passed over and left no entry")
        if offset <= self._taken:
            raise Finding(f"{where}: {self.name} offset {offset} is settled again")
        self._taken = offset
        record = _decoded(self.records[offset])
        if (record is None) != (tag == "x"):
            raise Finding(f"{where}: {self.name} offset {offset} is settled as {tag!r}")
        if record is not None:
            self._ids.add((record.id, record.command_id))

    def command(self, where: str, entry: dict[str, Any], offset: int | None) -> CommandRecord:
        """The record that an entry is of."""
        for place in range(self._taken + 1, len(self.records)) if offset is None else (offset,):
            record = _decoded(self.records[place])
            if record is not None and (record.id, record.command_id) == (entry["id"], entry["command_id"]):
                self.take(where, place, entry["tag"])
                return record
        raise Finding(f"{where}: {entry['command_id']} of {self.name} is settled out of turn or twice")

    def move(self, shard: int, offset: int, next_offset: int) -> None:
        """A frame says that all below `next_offset` is settled."""
        for passed in range(self._taken + 1, next_offset):
            if not self._is_repeat(passed):
                raise Finding(f"shard {shard}, offset {offset}: {self.name} offset {passed} is settled without an entry")
        if next_offset <= self.next or next_offset <= self._taken:
            raise Finding(f"shard {shard}, offset {offset}: {self.name} moves from {self.next} to {next_offset}")
        self._taken = next_offset - 1
        self.next = next_offset

    def _is_repeat(self, offset: int) -> bool:
        record = _decoded(self.records[offset])
        return self._is_counted and record is not None and (record.id, record.command_id) in self._ids


def _decoded(value: bytes) -> CommandRecord | None:
    try:
        return decode_record(value)
    except msgspec.DecodeError:
        return None


def _check_of(record: CommandRecord) -> int:
    """PROTOCOL's CHECK of what was sent."""
    check = crc32(record.command.encode() + b"\0" + bytes(record.payload))
    if record.expected_version is None and record.occurred_at is None:
        return check
    return crc32(b"\0" + msgspec.json.encode((record.expected_version, record.occurred_at)), check)


def _says_not_applied(attempt: Attempt) -> bool:
    """Whether the client was told that this attempt left nothing."""
    outcome = attempt.outcome
    if isinstance(outcome, CommandUnavailable):
        return outcome.code == "unavailable"
    return isinstance(outcome, CommandRejected) and outcome.token is None and outcome.code != "id_reused"


def _take(items: Any, count: int) -> list[Any]:
    return [next(items) for _ in range(count)]
