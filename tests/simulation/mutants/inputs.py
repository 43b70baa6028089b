"""Mutants of what a shard takes from inputs and from other shards."""

from __future__ import annotations

from typing import Any

from shardlog.executor import carried
from shardlog.executor.entries import Entries
from shardlog.executor.inputs import ShardInputs
from shardlog.executor.sends import Arrival, Outbox, arrival
from tests.simulation.mutants.mutant import Change, mutant


@mutant("T4: an input goes on from where its consumer stands, not from the replayed offset")
def replayed_offsets() -> list[Change]:
    read = ShardInputs.read

    def reading(self: Any, settled: Any, limit: int, now_ms: float) -> Any:
        stands = self.__dict__.setdefault("stands", {})
        offsets = {name: max(settled.get(name, 0), stands.get(name, 0)) for name in (i.name for i in self.all)}
        batches = read(self, offsets, limit, now_ms)
        for batch in batches:
            stands[batch.input] = batch.records[-1][0] + 1
        return batches

    return [(ShardInputs, "read", reading)]


@mutant("D3: a send that was taken before is taken again")
def repeats_of_sends() -> list[Change]:
    def always_new(origin: Any, last: Any) -> Arrival:
        found = arrival(origin, last)
        return Arrival.NEW if found is Arrival.REPEAT else found

    return [(carried, "arrival", always_new)]


@mutant("D3: a send behind a gap is taken")
def gaps_of_sends() -> list[Change]:
    def no_gap(origin: Any, last: Any) -> Arrival:
        found = arrival(origin, last)
        return Arrival.NEW if found is Arrival.GAP else found

    return [(carried, "arrival", no_gap)]


@mutant("D3: a send does not name the one before it in the same entry or an earlier one")
def previous_of_sends() -> list[Change]:
    place = Outbox.place

    def nameless(self: Any, target: int) -> Any:
        place(self, target)

    return [(Outbox, "place", nameless)]


@mutant("D3: a process manager does not hear that its command was refused")
def rejections_heard() -> list[Change]:
    return [(Entries, "_tell_manager", lambda self, decision, rejection: None)]
