"""The inputs of one shard: their names checked, read from where the frames say that they are settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shardlog.errors import ConfigurationError, InputChanged
from shardlog.executor.core import Batch
from shardlog.ports.inputs import Input

INPUT_KINDS = frozenset({"feeder", "kafka"})


class ShardInputs:
    """accepted: full names of inputs that may take the place of another incarnation. Raises ConfigurationError."""

    def __init__(self, shard: int, inputs: Sequence[Input], accepted: Sequence[str]) -> None:
        self.all = tuple(inputs)
        self._shard = shard
        self._accepted = frozenset(accepted)
        for input in self.all:
            _check_name(input.name)

    def check_incarnations(self, known: Mapping[str, int]) -> None:
        """Refuse an input whose offsets mean other records than those in the frames. Raises InputChanged."""
        for input in self.all:
            same = input.name.rpartition(":")[0]
            others = [name for name in known if name.rpartition(":")[0] == same and name != input.name]
            if input.name not in known and others and input.name not in self._accepted:
                raise InputChanged(
                    f"shard {self._shard}: input {input.name!r} is new, and the journal holds offsets of "
                    f"{others[-1]!r}: its records are others. If that is meant, accept the input by its full name; "
                    "it is then read from its start"
                )

    def read(self, settled: Mapping[str, int], limit: int) -> list[Batch]:
        """What each has now, up to `limit` records, from its first offset not settled."""
        found: list[Batch] = []
        for input in self.all:
            records = input.read(self._shard, settled.get(input.name, 0), limit)
            if records:
                channel = input.name.partition(":")[0]
                found.append(Batch(input.name, channel, records, input.carries_sends))
        return found


def _check_name(name: str) -> None:
    """Refuse a name that cannot stand in frames. Raises ConfigurationError."""
    kind, _, rest = name.partition(":")
    own, _, incarnation = rest.rpartition(":")
    if kind not in INPUT_KINDS or not own or not incarnation:
        raise ConfigurationError(
            f"input {name!r}: its name must be KIND:NAME:INCARNATION, and KIND one of {', '.join(sorted(INPUT_KINDS))}"
        )
