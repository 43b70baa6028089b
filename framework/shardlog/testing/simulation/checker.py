"""The history checker: reads the journal after a run, by rules of its own, and holds the engine to its promises."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, NamedTuple, TypeAlias

from shardlog.errors import ENGINE_CODES
from shardlog.executor.requests import decode_record
from shardlog.ids import uuid8
from shardlog.testing.simulation.books import Books, Refusal, SendFields
from shardlog.testing.simulation.clients import shard_of_account
from shardlog.testing.simulation.environment import JOURNAL
from shardlog.testing.simulation.feeds import Feed
from shardlog.testing.simulation.finding import Finding
from shardlog.testing.simulation.history import History
from shardlog.testing.simulation.log import ValidFrame, valid_frames
from shardlog.testing.simulation.promises import Occurrence, check_of, check_operation
from shardlog.testing.simulation.settled import Settled

Place3: TypeAlias = tuple[int, int, int]
"""Shard, offset, index."""
REQUEST_CHANNELS = frozenset({"http", "grpc", "local"})
COMMON = (
    "tag",
    "category",
    "id",
    "command",
    "command_id",
    "tenant",
    "actor",
    "channel",
    "correlation",
    "causation",
    "traceparent",
    "occurred_at",
    "check",
    "origin",
    "reply_to",
)
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
            check_operation(operation, self._occurrences.get(operation.key, ()))
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
        return [
            (target, previous, manager, id, command, payload)
            for manager, _, id, command, payload, target, previous in entry[-1]
        ]

    def _check_shard(self, shard: int) -> None:
        time = 0
        settled = {feed.name: Settled(feed, shard) for feed in self._feeds}
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
        self,
        shard: int,
        frame: ValidFrame,
        index: int,
        fields: list[Any],
        settled: dict[str, Settled],
        received: list[Any],
        sends: Any,
    ) -> int:
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
        entry: dict[str, Any] = dict(zip(COMMON, fields, strict=False))
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
        self,
        where: str,
        shard: int,
        entry: dict[str, Any],
        fields: list[Any],
        settled: dict[str, Settled],
        received: list[Any],
    ) -> tuple[str, dict[str, Any], int | None]:
        """What was sent: command, payload, expected version."""
        if entry["origin"] is not None:
            return self._received(where, shard, entry, received)
        if entry["channel"] in REQUEST_CHANNELS:
            operation = self._operations.get((entry["category"], entry["id"], entry["command_id"]))
            if operation is None:
                raise Finding(f"{where}: nobody has sent {entry['command_id']} to {entry['id']}")
            record = next((r for r in operation.variants if check_of(r) == entry["check"]), None)
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
            raise Finding(
                f"{where}: takes send {tuple(at)} of shard {source}, and {sent} is next: one is lost or repeated"
            )
        same = (sent.manager, sent.id, sent.command, list(sent.previous or ()) or None)
        if same != (manager, entry["id"], entry["command"], previous):
            raise Finding(f"{where}: send {tuple(at)} of shard {source} was {sent}, and is taken as {entry}")
        if manager and entry["command_id"] != uuid8(JOURNAL, source, *at):
            raise Finding(f"{where}: send {tuple(at)} of shard {source} has the command id {entry['command_id']}")
        return sent.command, sent.payload, None

    def _check_decision(
        self,
        where: str,
        sent: tuple[str, dict[str, Any], int | None],
        entry: dict[str, Any],
        fields: list[Any],
        sends: list[Sent],
    ) -> None:
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
                raise Finding(
                    f"{where}: {command} {given} on {id} must be refused with {code}, and is {fields}"
                ) from None
            heard = (
                books.refused(command, given, code) if code not in ENGINE_CODES and entry["origin"] is not None else []
            )
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

    def _feed(self, name: str) -> Feed:
        return next(feed for feed in self._feeds if feed.name == name)


def _take(items: Any, count: int) -> list[Any]:
    return [next(items) for _ in range(count)]
