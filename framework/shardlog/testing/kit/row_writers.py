"""Who writes a row: events of one routing key, or `increment` only. Else it depends on which shard is read first."""

from __future__ import annotations

import msgspec

from shardlog.errors import DomainError
from shardlog.model.changes import Change, Increment
from shardlog.model.messages import Row
from shardlog.testing.kit.world import AnyStream

__tracebackhide__ = True


class _Write(msgspec.Struct, frozen=True):
    verb: str
    stream: str
    routing_key: str


class RowWriters:
    """Remembers who wrote each row of a projection."""

    def __init__(self, projection: str) -> None:
        self._projection = projection
        self._first: dict[tuple[type[Row], tuple[object, ...]], list[_Write]] = {}

    def note(self, row_type: type[Row], key: tuple[object, ...], change: Change, source: AnyStream) -> None:
        """Raises DomainError where this change cannot commute with an earlier one from another routing key."""
        write = _Write(type(change).__name__.lower(), str(source), source.routing_key)
        earlier = self._first.setdefault((row_type, key), [])
        for other in earlier:
            is_sum = isinstance(change, Increment) and other.verb == "increment"
            if other.routing_key != write.routing_key and not is_sum:
                raise DomainError(
                    f"row {row_type.__name__}{key} of projection {self._projection!r} is written from two routing "
                    f"keys: {other.verb} from {other.stream} (routing key {other.routing_key!r}) and {write.verb} from "
                    f"{write.stream} (routing key {write.routing_key!r}). Their shards are read in any order, so a "
                    "rebuild could give another row: write it with `increment` only, or put the routing key into its "
                    "key."
                )
        if write not in earlier:
            earlier.append(write)
