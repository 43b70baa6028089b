"""The port of relay stores: how far each shard's sends were carried, and the dead letters of commands.

Both derive from the journal: whoever loses a store begins again at the journal's beginning, and nothing is carried
twice, since targets know what they have received. Every adapter passes `shardlog.testing.contracts.relay`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from shardlog.model.recorded import Position
from shardlog.ports.checkpoints import Checkpoint, Move

CommandLetterState: TypeAlias = Literal["open", "retried", "rejected"]
"""open: nobody has dealt with it. retried, rejected: how an operator resolved it, once."""


class CommandDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A command that no process goes on from: refused by the engine, or for a reason that nobody hears.

    position: of its entry in the shard that refused it. code, message: of the refusal. time: of the frame, in
    microseconds since 1970 UTC. manager: the process manager that sent it, "" for none. correlation, causation: the
    process that it belongs to, and the command id of the entry that sent it. payload: the command as JSON, "" where it
    is not recorded. input, input_offset: the record of an input that it came from, "" and 0 for none; original: the
    bytes that stand there, cut where they are long, and None where the input does not give them any more. Fields that
    could not be read are "".
    """

    position: Position
    code: str
    message: str
    time: int
    category: str = ""
    id: str = ""
    command: str = ""
    command_id: str = ""
    manager: str = ""
    tenant: str = ""
    actor: str = ""
    correlation: str = ""
    causation: str = ""
    payload: str = ""
    input: str = ""
    input_offset: int = 0
    original: bytes | None = None
    state: CommandLetterState = "open"


class RelayStore(ABC):
    """Checkpoints and dead letters of a relay.

    Every method raises StoreUnavailable where trying again may help, and StoreFailed where it does not.
    """

    @abstractmethod
    def checkpoints(self, journal: str) -> Mapping[int, Checkpoint]:
        """By shard of this journal, how far everything was received and stored."""

    @abstractmethod
    def write(self, moves: Sequence[Move], letters: Sequence[CommandDeadLetter]) -> None:
        """One transaction: all or nothing. A letter whose position is known is left as it is.

        Raises CheckpointMoved where a stored checkpoint is not the one that a move begins at (PROTOCOL C1).
        """

    @abstractmethod
    def dead_letters(self, journal: str, limit: int, after: Position | None = None) -> list[CommandDeadLetter]:
        """Up to `limit` dead letters of this journal in the order of positions, from behind `after`."""

    @abstractmethod
    def resolve(self, position: Position, state: Literal["retried", "rejected"]) -> None:
        """An operator has dealt with an open dead letter.

        Raises CheckpointMoved where none is open at this position: it was resolved before, or never was.
        """

    @abstractmethod
    def close(self) -> None:
        """Free connections. Idempotent."""
