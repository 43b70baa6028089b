"""A relay store in memory: for tests and simulations, where a relay ends and another goes on from its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Literal

import msgspec

from shardlog.errors import CheckpointMoved
from shardlog.model.recorded import Position
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.relay import CommandDeadLetter, RelayStore


class MemoryRelayStore(RelayStore):
    """Durable as long as the process."""

    def __init__(self) -> None:
        self._checkpoints: dict[tuple[str, int], Checkpoint] = {}
        self._letters: dict[Position, CommandDeadLetter] = {}
        self._lock = Lock()

    def checkpoints(self, journal: str) -> Mapping[int, Checkpoint]:
        with self._lock:
            return {shard: held for (name, shard), held in self._checkpoints.items() if name == journal}

    def write(self, moves: Sequence[Move], letters: Sequence[CommandDeadLetter]) -> None:
        with self._lock:
            for old, new in moves:
                held = self._checkpoints.get((new.journal, new.shard))
                if (held and (held.next, held.head)) != (old and (old.next, old.head)):
                    raise CheckpointMoved(f"relay, shard {new.shard}: another relay has moved the checkpoint")
            self._checkpoints |= {(move.new.journal, move.new.shard): move.new for move in moves}
            for letter in letters:
                self._letters.setdefault(letter.position, letter)

    def dead_letters(self, journal: str, limit: int, after: Position | None = None) -> list[CommandDeadLetter]:
        with self._lock:
            found = [letter for position, letter in self._letters.items() if position.journal == journal]
        found.sort(key=lambda letter: _place(letter.position))
        return [letter for letter in found if after is None or _place(letter.position) > _place(after)][:limit]

    def resolve(self, position: Position, state: Literal["retried", "rejected"]) -> None:
        with self._lock:
            letter = self._letters.get(position)
            if letter is None or letter.state != "open":
                raise CheckpointMoved(f"there is no open dead letter at {position.token}: somebody has resolved it")
            self._letters[position] = msgspec.structs.replace(letter, state=state)

    def forget_checkpoints(self) -> None:
        """As if they had been lost; dead letters stay."""
        with self._lock:
            self._checkpoints.clear()

    def close(self) -> None:
        """Nothing to free."""


def _place(position: Position) -> tuple[int, int, int]:
    return position.shard, position.offset, position.index
