"""What a decision may know besides state and command: the same whenever the command is run again."""

from __future__ import annotations

import random
from datetime import datetime

import msgspec
from msgspec.structs import force_setattr

from shardlog.ids import uuid8


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Given to a `decides` or `transaction` function that asks for it.

    id: of the stream. version: of its last event, 0 before the first. time: of the frame. occurred_at: when it
    happened, the frame's time where the command did not say. seed: what `new_id` and `random` are drawn from.

    >>> from datetime import UTC, datetime
    >>> from shardlog import Context
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> def ids() -> list[str]:
    ...     context = Context(id="a", version=0, time=noon, occurred_at=noon, command_id="c", seed=b"1")
    ...     return [context.new_id(), context.new_id()]
    >>> ids() == ids()
    True
    """

    id: str
    version: int
    time: datetime
    occurred_at: datetime
    command_id: str
    actor: str = ""
    tenant: str = ""
    correlation_id: str = ""
    seed: bytes = b""
    _drawn: int = 0

    def new_id(self) -> str:
        """A fresh UUIDv8, and the same again when this command is run again."""
        force_setattr(self, "_drawn", self._drawn + 1)
        return uuid8(self.seed, self._drawn)

    def random(self) -> random.Random:
        """A generator of random numbers, and of the same ones when this command is run again. Not for secrets."""
        return random.Random(self.new_id())  # noqa: S311  # repeatable is what it is for
