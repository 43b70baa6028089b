"""Mutants of snapshots: what they hold, and what is loaded."""

from __future__ import annotations

from typing import Any

import msgspec

from shardlog.executor.held import HeldStreams
from shardlog.executor.snapshotting import Snapshotting
from shardlog.executor.window import RequestWindow
from shardlog.snapshots import reading
from tests.simulation.mutants.mutant import Change, mutant
from tests.simulation.mutants.takes_anything import Anything


@mutant("S1: a snapshot holds frames that are not acknowledged")
def speculative_snapshot() -> list[Change]:
    hold = Snapshotting._hold

    def at_once(self: Any) -> None:
        hold(self)
        if self._core.pending:
            self._write()

    return [(Snapshotting, "_hold", at_once)]


@mutant("S1: a snapshot holds no command ids")
def ids_in_snapshots() -> list[Change]:
    return [(RequestWindow, "frozen", lambda self: [])]


@mutant("S1: a snapshot does not say what was received from other shards")
def received_in_snapshots() -> list[Change]:
    return [_without(received={})]


@mutant("S1: a snapshot does not say how far inputs are settled")
def inputs_in_snapshots() -> list[Change]:
    return [_without(inputs={})]


def _without(**fields: Any) -> Change:
    about = Snapshotting._about
    return Snapshotting, "_about", lambda self, small: msgspec.structs.replace(about(self, small), **fields)


@mutant("engine: a write does not note what it overwrites while a snapshot is being written")
def held_streams() -> list[Change]:
    init = HeldStreams.__init__

    def unmarked(self: Any, buckets: Any, is_held: bool = True) -> None:
        init(self, buckets, is_held)
        self.marks = bytearray(len(buckets))

    return [(HeldStreams, "__init__", unmarked)]


@mutant("S3: a damaged snapshot is loaded")
def checksums() -> list[Change]:
    return [(reading, "checksum", lambda data: Anything()), (reading, "digest_text", lambda total: Anything())]


@mutant("S1: a recovery passes over the record behind a snapshot")
def snapshot_position() -> list[Change]:
    about = Snapshotting._about

    def moved(self: Any, small: Any) -> Any:
        found = about(self, small)
        return msgspec.structs.replace(found, next=found.next + 1)

    return [(Snapshotting, "_about", moved)]
