"""Frames as executors write them for a relay, and a relay over them that is driven by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.relay import MemoryRelayStore
from shardlog.executor.requests import CommandRecord, decode_record
from shardlog.journal.records import Accepted, Forwarded, Origin, Rejected, SendRecord, Unreadable
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.ports.relay import CommandDeadLetter, RelayStore
from shardlog.ports.sends import At
from shardlog.relay.limits import RelayLimits
from shardlog.relay.runner import Relay
from tests.unit.executor.ledger import ledger
from tests.unit.projector.log import JOURNAL, TIME, LogWriter

SHARDS = 3
TOPIC = "kafka:commands:9f"
NULL = msgspec.Raw(b"null")
AT_ONCE = RelayLimits(checkpoint_ms=0, retry_ms=0)


def header(command: str = "pay", origin: Origin | None = None, correlation: str = "") -> tuple[Any, ...]:
    """What accepted and rejected entries begin with."""
    fields = ("account", "a:1", command, "c-1", "acme", "ann", "manager", correlation, "c-0", "00-trace")
    return (*fields, None, 0, origin, "")


def send(target: int, previous: At | None = None, command: str = "receive", payload: bytes = b"{}") -> SendRecord:
    return SendRecord("payments", "account", "b:1", command, msgspec.Raw(payload), target, previous)


def accepted(*sends: SendRecord, correlation: str = "") -> Accepted[Any]:
    return Accepted(*header(correlation=correlation), [], list(sends))


def rejected(
    code: str,
    *sends: SendRecord,
    command: str = "receive",
    origin: Origin | None = None,
    payload: bytes = b"null",
    source: tuple[str, int] | None = None,
) -> Rejected:
    head = header(command, origin)
    return Rejected(*head, code, "because", None, msgspec.Raw(payload), source, list(sends))


def came(at: At = (1, 1, 0), previous: At | None = None, manager: str = "payments", shard: int = 1) -> Origin:
    return Origin(manager, shard, *at, previous)


class Sent:
    """A journal of three shards, what their targets have received, and a relay that reads them."""

    def __init__(
        self,
        journal: Journal | None = None,
        store: RelayStore | None = None,
        inputs: Sequence[Input] = (),
        limits: RelayLimits = AT_ONCE,
    ) -> None:
        self.journal = journal or MemoryJournal(SHARDS)
        self.log = LogWriter(self.journal, SHARDS)
        self.store = store or MemoryRelayStore()
        self.inputs = inputs
        self.limits = limits
        self.received: dict[int, dict[int, At]] = {shard: {} for shard in range(SHARDS)}
        self.ms = 0.0
        self.relay = self.another()

    def another(self, limits: RelayLimits | None = None) -> Relay:
        """A relay that knows nothing but what is stored."""
        return Relay(
            self.journal,
            JOURNAL,
            SHARDS,
            ledger,
            self.store,
            lambda: self.received,
            lambda: self.ms,
            self.inputs,
            limits or self.limits,
        )

    def frame(self, shard: int, *entries: Accepted[Any] | Rejected | Forwarded | Unreadable) -> int:
        return self.log.frame(shard, entries)  # type: ignore[arg-type]  # it only encodes them

    def run(self, relay: Relay | None = None) -> None:
        """Step until all is read that there is room for."""
        relay = relay or self.relay
        while relay.step():
            pass

    def waiting(
        self, target: int, relay: Relay | None = None, limit: int = 1_000, received: dict[int, At] | None = None
    ) -> list[CommandRecord]:
        """What the target would be given now, from behind what it has received."""
        known = self.received[target] if received is None else received
        return [decode_record(value) for value in (relay or self.relay).waiting(target, known, limit)]

    def take(self, target: int, relay: Relay | None = None) -> list[CommandRecord]:
        """The target receives all that waits, and its frame is acknowledged."""
        taken = self.waiting(target, relay)
        for record in taken:
            assert record.origin is not None
            self.received[target][record.origin.shard] = at_of(record)
        return taken

    def letters(self) -> list[CommandDeadLetter]:
        return self.store.dead_letters(JOURNAL, 1_000)

    def stored(self) -> dict[int, int]:
        """By shard, the offset from which it would be read again."""
        return {shard: checkpoint.next for shard, checkpoint in self.store.checkpoints(JOURNAL).items()}


def at_of(record: CommandRecord) -> At:
    assert record.origin is not None
    return record.origin.epoch, record.origin.seq, record.origin.number


def ats(records: Sequence[CommandRecord]) -> list[At]:
    return [at_of(record) for record in records]


__all__ = ["JOURNAL", "TIME"]
