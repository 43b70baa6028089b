"""Mutants of the relay: its checkpoint, and what it carries."""

from __future__ import annotations

from typing import Any

from shardlog.ports.checkpoints import Checkpoint
from shardlog.relay import reading as relay_reading
from shardlog.relay.held import Held
from shardlog.relay.source import Source
from tests.simulation.mutants.mutant import Change, mutant
from tests.simulation.mutants.takes_anything import LooseReader


@mutant("C3: the relay's checkpoint passes sends that are not received")
def relay_checkpoint() -> list[Change]:
    return [(Source, "checkpoint", property(lambda self: Checkpoint(*self._reader.state)))]


@mutant("D3: the relay forgets a send once it was offered")
def relay_resends() -> list[Change]:
    waiting = Held.waiting

    def once(self: Any, target: int, received: Any, limit: int) -> Any:
        found = waiting(self, target, received, limit)
        self._queues[target].clear()
        return found

    return [(Held, "waiting", once)]


@mutant("R3: the relay carries sends of frames that do not count")
def relayed_verdict() -> list[Change]:
    return [(relay_reading, "Reader", LooseReader)]
