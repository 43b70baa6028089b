"""Where the time of a command goes: microseconds by step, each timed with the engine's own functions.

    python -m bench.steps --json

The same records as `bench.execute`: 100,000 streams, a tenth refused. All steps run over the commands of one frame,
then over those of the next, so that a slow moment of the machine is shared by all. The figures are CPU time. What
a step costs a frame, or only those commands that are accepted, is spread over all of them.

`command_us` is what the build thread takes for a whole command (memory journal, frames of 200), and `rest_us` what no
step explains: looking at limits, undo, answers, the interpreter between the steps, and memory that is not in the cache
any more when it is needed. The window's key is for requests only, and the append happens in the journal's own thread:
neither is part of `command_us`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from time import thread_time
from typing import NamedTuple, cast
from zlib import crc32

import msgspec

from bench import bare
from bench.report import report
from bench.shard import JOURNAL_ID, DrivenShard, ListInput
from bench.workload import records
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.codec.json import encode
from shardlog.errors import Rejection
from shardlog.executor.deciding import EventRecord
from shardlog.executor.decision import Decision
from shardlog.executor.draft import Draft
from shardlog.executor.entries import Entries
from shardlog.executor.limits import Limits
from shardlog.executor.registry import BUCKET_MASK, Handler
from shardlog.executor.requests import CommandRecord, decode_record
from shardlog.executor.state import Shard, ShardState
from shardlog.executor.window import window_key
from shardlog.journal.chain import next_head
from shardlog.journal.envelope import frame_prefix, frame_value
from shardlog.model.messages import Command, Event, State
from shardlog.snapshots.slot import Slot

FRAME_COMMANDS = 200
OUTSIDE = frozenset({"window_key", "append"})
"""Steps that are no part of a command's way through the build thread here."""


class Decided(NamedTuple):
    """A command between the steps. slot: its stream as it was; None where it had no events."""

    record: CommandRecord
    handler: Handler
    slot: Slot | None
    command: Command
    result: Event | Rejection

    @property
    def state(self) -> State:
        """What it was decided on."""
        return self.handler.category.initial if self.slot is None else cast("State", self.slot.state)

    @property
    def version(self) -> int:
        """Of the stream, before the command."""
        return 0 if self.slot is None else self.slot.version


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=200_000)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.commands, given.streams = 4_000, 100
    workload = records(2 * given.commands, given.streams)
    shard, command_us = whole(workload, given.commands)
    steps = Steps(shard.core.state)
    values = workload[given.commands :]
    for first in range(0, len(values), FRAME_COMMANDS):
        steps.measure(values[first : first + FRAME_COMMANDS])
    figures = {f"{name}_us": seconds / len(values) * 1e6 for name, seconds in steps.seconds.items()}
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        frames = bare.frames(values)
        figures["append_us"] = bare.sqlite_seconds(Path(place) / "bare.sqlite", frames) / len(values) * 1e6
    explained = sum(taken for name, taken in figures.items() if name.removesuffix("_us") not in OUTSIDE)
    report(
        {"streams": given.streams, **figures, "command_us": command_us, "rest_us": command_us - explained}, given.json
    )


def whole(workload: Sequence[bytes], commands: int) -> tuple[DrivenShard, float]:
    """A shard that has executed all of it, and the CPU time a command of the second half."""
    source = ListInput(workload)
    shard = DrivenShard(MemoryJournal(1), Limits(), [source])
    shard.serve()
    while shard.executor.settled(source.name) < commands:
        shard.step()
    start, cpu = shard.executor.settled(source.name), thread_time()
    while shard.executor.settled(source.name) < len(workload):
        shard.step()
    return shard, (thread_time() - cpu) / (len(workload) - start) * 1e6


class Steps:
    """Times each step of a frame on the way of a shard. seconds: by step, in the order of the way."""

    def __init__(self, state: ShardState) -> None:
        self._state = state
        shard = Shard(JOURNAL_ID, 0, 1)
        self._entries = Entries(state, shard, Limits())
        self._prefix = frame_prefix(JOURNAL_ID, 0, 1, 1, "0" * 32)
        self._head = blake2b(digest_size=32).digest()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def measure(self, values: Sequence[bytes]) -> None:
        """All steps of this frame, one after the other."""
        decided = self._decide(self._read(values))
        self._chain(self._frame(decided, self._events(decided)))

    def _took(self, step: str, began: float) -> float:
        now = thread_time()
        self.seconds[step] += now - began
        return thread_time()

    def _read(self, values: Sequence[bytes]) -> list[tuple[CommandRecord, Handler, Slot | None, Command]]:
        handlers = self._state.registry.handlers
        began = thread_time()
        decoded = [decode_record(value) for value in values]
        began = self._took("decode_record", began)
        streams = [_stream(handlers, record) for record in decoded]
        began = self._took("find_stream", began)
        commands = [stream[0].decode(record.payload) for stream, record in zip(streams, decoded, strict=True)]
        began = self._took("decode_payload", began)
        for record in decoded:
            window_key(record.tenant, record.category, record.id, record.command_id)
        self._took("window_key", began)
        return [
            (record, handler, slot, command)
            for record, (handler, slot), command in zip(decoded, streams, commands, strict=True)
        ]

    def _decide(self, found: Sequence[tuple[CommandRecord, Handler, Slot | None, Command]]) -> list[Decided]:
        results: list[Event | Rejection] = []
        initial = found[0][1].category.initial
        began = thread_time()
        for _, handler, slot, command in found:
            try:
                results.append(handler.decide(initial if slot is None else slot.state, command))
            except Rejection as refusal:
                results.append(refusal)
        self._took("decide", began)
        return [Decided(*one, result) for one, result in zip(found, results, strict=True)]

    def _events(self, decided: Sequence[Decided]) -> list[EventRecord]:
        """Encode, decode again, evolve, store. Returns the event records."""
        accepted = [one for one in decided if isinstance(one.result, Event)]
        types = [one.handler.category.events[type(cast("Event", one.result))] for one in accepted]
        before = [(one.state, one.version + 1, one.record.id) for one in accepted]
        began = thread_time()
        encoded = [encode(one.result) for one in accepted]
        began = self._took("encode_event", began)
        events = [kind.decode(data) for kind, data in zip(types, encoded, strict=True)]
        began = self._took("decode_event", began)
        states = [kind.evolve(old[0], event) for kind, old, event in zip(types, before, events, strict=True)]
        buckets = accepted[0].handler.category.buckets
        began = self._took("evolve", began)
        for (_, version, id), state in zip(before, states, strict=True):
            buckets[hash(id) & BUCKET_MASK][id] = Slot(version, state)
        self._took("store", began)
        return [
            (kind.tag, id, version, msgspec.Raw(data))
            for kind, (_, version, id), data in zip(types, before, encoded, strict=True)
        ]

    def _frame(self, decided: Sequence[Decided], written: Sequence[EventRecord]) -> Draft:
        """Checks and entries."""
        began = thread_time()
        checks = [crc32(one.record.payload, one.handler.check) for one in decided]
        began = self._took("check", began)
        draft, events = Draft(1, 1, self._state.before()), iter(written)
        self._entries.begin(draft, 1)
        for place, (one, check) in enumerate(zip(decided, checks, strict=True)):
            decision = Decision(one.record, "feeder", ("feeder:bench:1", place), None, None, one.command)
            if isinstance(one.result, Rejection):
                self._entries.refused(decision, one.result)
            else:
                self._entries.accepted(decision, check, [next(events)], one.version + 1)
        self._took("entry", began)
        return draft

    def _chain(self, draft: Draft) -> None:
        """Put the frame together, and hash it."""
        began = thread_time()
        value = frame_value(self._prefix, 1, self._head.hex(), *draft.body())
        began = self._took("frame", began)
        self._head = next_head(self._head, value)
        self._took("chain", began)


def _stream(handlers: dict[tuple[str, str], Handler], record: CommandRecord) -> tuple[Handler, Slot | None]:
    handler = handlers[record.category, record.command]
    return handler, handler.category.slot(record.id)


if __name__ == "__main__":
    main()
