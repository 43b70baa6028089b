"""A reader and a value that take anything: what mutants put in the place of those that look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shardlog.journal.envelope import body_of, envelope_of
from shardlog.journal.reader import FrameTaken, Reader
from tests.simulation.mutants.mutant import Change


def loose_reader(takes: Callable[[Reader, Any], bool]) -> list[Change]:
    """A reader that takes a frame of its journal and shard for valid where `takes` says so."""
    judge = Reader.judge

    def is_next(self: Reader, value: bytes) -> bool:
        envelope = envelope_of(value)
        is_frame = envelope is not None and not envelope.is_claim
        return is_frame and self.epoch > 0 and takes(self, envelope)

    def loose_judge(self: Reader, offset: int, value: bytes) -> Any:
        return FrameTaken(body_of(value)) if is_next(self, value) else judge(self, offset, value)

    return [(Reader, "is_next", is_next), (Reader, "judge", loose_judge)]


class LooseReader(Reader):
    """Takes every frame for valid."""

    def judge(self, offset: int, value: bytes) -> Any:
        envelope = envelope_of(value)
        if envelope is not None and not envelope.is_claim and self.epoch:
            return FrameTaken(body_of(value))
        return super().judge(offset, value)


class Anything:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0
