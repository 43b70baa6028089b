"""Mutants of projections: their rows, their checkpoints, what they take."""

from __future__ import annotations

from typing import Any

from shardlog.adapters.memory import projections as memory_projections
from shardlog.projector import core as projector_core
from shardlog.testing.simulation.projecting import UnkindStore
from tests.simulation.mutants.mutant import Change, mutant
from tests.simulation.mutants.takes_anything import LooseReader


@mutant("C1: rows and checkpoint are written in two transactions")
def one_transaction() -> list[Change]:
    def write(self: Any, batch: Any, *, keep: bool = True) -> None:
        self._crashes.reach("before a projection's transaction")
        self._may_be_unavailable("nothing was written")
        self._store.write(batch._replace(moves=()), keep=keep)
        self._crashes.reach("between two transactions")
        self._may_be_unavailable("the answer was lost")
        self._store.write(batch._replace(tables=(), letters=()), keep=keep)

    return [(UnkindStore, "write", write)]


@mutant("C1: a checkpoint is moved from wherever it stands")
def compared_checkpoint() -> list[Change]:
    return [(memory_projections, "_where", lambda checkpoint: None)]


@mutant("R3: a projection takes frames that do not count")
def projected_verdict() -> list[Change]:
    return [(projector_core, "Reader", LooseReader)]
