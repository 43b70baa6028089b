"""What a simulation fails with."""

from __future__ import annotations

from shardlog.errors import ShardlogError


class Finding(ShardlogError):
    """A promise of the engine does not hold in this run; the message says which."""


class Crashed(BaseException):
    """A simulated process ended here. No `except Exception` of the code under test may survive it."""
