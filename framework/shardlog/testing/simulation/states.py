"""Whether what a process knows is what the journal says: its state against a replay, and against the books."""

from __future__ import annotations

from typing import Any

from shardlog.errors import ShardlogError
from shardlog.executor.core import ExecutorCore
from shardlog.executor.mode import Mode
from shardlog.executor.replay import Replay
from shardlog.executor.state import Shard, ShardState
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.testing.simulation.bank import bank
from shardlog.testing.simulation.books import Books
from shardlog.testing.simulation.environment import JOURNAL, LIMITS, Environment
from shardlog.testing.simulation.finding import Finding
from shardlog.testing.simulation.process import Process


def check_states(environment: Environment, process: Process, books: Books | None = None) -> None:
    """Compare each shard that has no frame on its way with a replay up to the same record. Raises Finding."""
    for shard, core in process.cores.items():
        if core.pending or process.executors[shard].mode is not Mode.SERVING:
            continue
        live = contents(core.state)
        replayed = contents(replay(environment, shard, process.writers[shard].reader.position))
        for part, value in live.items():
            if value != replayed[part]:
                raise Finding(
                    f"{process.label}, shard {shard}: live {part} are {value}, and a replay gives {replayed[part]}"
                )
        if books is not None and environment.assigned[shard] == process.ordinal:
            _check_books(process.label, shard, core.state, books)


def replay(environment: Environment, shard: int, end: int) -> ShardState:
    """The state that the log leads to, up to the record before `end`. Raises Finding."""
    shards = environment.plan.shards
    core = ExecutorCore(bank, Shard(JOURNAL, shard, shards), LIMITS)
    reader, frames = Reader(JOURNAL, shard, shards), Replay(core.state, JOURNAL, shard)
    try:
        for offset, value in enumerate(environment.broker.partitions[shard].values[:end]):
            verdict = reader.pass_over(offset, value)
            if isinstance(verdict, FrameTaken):
                frames.apply(offset, verdict.body, reader.epoch, reader.seq)
    except ShardlogError as error:
        raise Finding(f"shard {shard} cannot be replayed: {type(error).__name__}: {error}") from error
    return core.state


def contents(state: ShardState) -> dict[str, Any]:
    """All that a shard knows, in an order of its own."""
    requests, counted = state.requests, state.counted
    return {
        "streams": {
            (category.name, id): (slot.version, slot.state)
            for category in state.registry.categories.values()
            for bucket in category.buckets
            for id, slot in bucket.items()
        },
        "time": state.time,
        "inputs": dict(state.inputs),
        "sends": dict(state.sent),
        "received sends": dict(state.received),
        "command ids": {number: _merged(buckets) for number, buckets in requests._generations.items()},
        "counted command ids": (counted._count, _merged(counted._recent), _merged(counted._older)),
    }


def _merged(buckets: list[dict[bytes, int]]) -> dict[bytes, int]:
    return {key: place for bucket in buckets for key, place in bucket.items()}


def _check_books(who: str, shard: int, state: ShardState, books: Books) -> None:
    for category in state.registry.categories.values():
        for bucket in category.buckets:
            for id, slot in bucket.items():
                held: Any = slot.state
                found = (slot.version, held.balance, dict(held.reserved))
                wanted = (books.versions.get(id, 0), books.balances.get(id), books.reserved.get(id, {}))
                if found != wanted:
                    raise Finding(f"{who}, shard {shard}: {id} stands at {found}, and the books say {wanted}")
