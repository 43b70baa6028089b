"""Mutants of a shard's state: what is rolled back, and what writes to it."""

from __future__ import annotations

from typing import Any

from shardlog.executor.core import ExecutorCore
from shardlog.executor.draft import Draft
from shardlog.executor.registry import BUCKET_MASK, Slot
from shardlog.executor.state import ShardState
from shardlog.executor.transaction import LoadedStream
from tests.simulation.mutants.mutant import Change, mutant


@mutant("F2: streams are not rolled back")
def roll_back_of_streams() -> list[Change]:
    return [(Draft, "undo_writes", lambda self: None)]


@mutant("F2: inputs, sends and time are not rolled back")
def roll_back_of_small_state() -> list[Change]:
    return [(ShardState, "restore", lambda self, before: None)]


@mutant("engine: a rejected transaction's events change the state")
def rejected_events() -> list[Change]:
    append = LoadedStream.append

    def appending(self: Any, events: Any, /) -> None:
        append(self, events)
        self.category.buckets[hash(self.id) & BUCKET_MASK][self.id] = Slot(self.version, self.state)

    return [(LoadedStream, "append", appending)]


@mutant("D1: a frame's time is the clock's, though the frame before it may be later")
def frame_time() -> list[Change]:
    build = ExecutorCore.build

    def building(self: Any, requests: Any, batches: Any, now: int, *more: Any, **others: Any) -> Any:
        self.state.time = min(self.state.time, now)
        return build(self, requests, batches, now, *more, **others)

    return [(ExecutorCore, "build", building)]
