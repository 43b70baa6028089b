"""The inputs of one shard: their names checked, read from where the frames say that they are settled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from shardlog.errors import ConfigurationError, InputChanged, ShardlogError
from shardlog.executor.core import Batch
from shardlog.ports.inputs import Input
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import InputFigures

log = logging.getLogger("shardlog.executor")
INPUT_KINDS = frozenset({"feeder", "kafka"})
CALM_MS = 2_000.0
"""How long an input that failed must give no error, where it gives no records either, to count as one that works."""


class ShardInputs:
    """Each is asked again after `retry_ms` where it could not be read; the others go on.

    accepted: full names of inputs that may take the place of another incarnation. errors: why inputs cannot be read
    now, by name. Raises ConfigurationError.
    """

    def __init__(self, shard: int, inputs: Sequence[Input], accepted: Sequence[str], retry_ms: int) -> None:
        self.all = tuple(inputs)
        self.errors: dict[str, str] = {}
        self._retry_ms = retry_ms
        self._asked_again_ms: dict[str, float] = {}
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
                    f"{others[-1]!r}: its records are others. If that is meant, accept the input by its full name, and "
                    f"it is read from its start: shardlog admin accept-input {input.name}; accepted_inputs of an "
                    "embedded engine"
                )

    def read(self, settled: Mapping[str, int], limit: int, now_ms: float) -> list[Batch]:
        """What each has now, up to `limit` records, from its first offset not settled."""
        found: list[Batch] = []
        for input in self.all:
            if now_ms < self._asked_again_ms.get(input.name, 0.0):
                continue
            records = self._read(input, settled.get(input.name, 0), limit, now_ms)
            if records:
                channel = input.name.partition(":")[0]
                found.append(Batch(input.name, channel, records, input.carries_sends))
        return found

    def release(self) -> None:
        """They are read no more."""
        for input in self.all:
            input.release(self._shard)

    def figures(self, settled: Mapping[str, int]) -> tuple[InputFigures, ...]:
        """What each shows of itself. settled: by acknowledged frames. From any thread, and without I/O."""
        return tuple(
            InputFigures(
                name=input.name.rpartition(":")[0],
                settled=settled.get(input.name, 0),
                end=input.end(self._shard),
                is_failing=input.name in self.errors,
            )
            for input in self.all
        )

    def _read(self, input: Input, start: int, limit: int, now_ms: float) -> Sequence[tuple[int, bytes]]:
        try:
            records = input.read(self._shard, start, limit)
        except Exception as error:  # noqa: BLE001  # whatever it is: an input that is away must not stop the shard
            self._tell(input, start, error)
            self.errors[input.name] = f"offset {start}: {type(error).__name__}: {error}"
            self._asked_again_ms[input.name] = now_ms + self._retry_ms
            return ()
        if self.errors and input.name in self.errors and (records or self._is_calm(input, now_ms)):
            del self.errors[input.name]
            log.warning(
                "shard %d: input %s can be read again, from offset %d",
                self._shard,
                input.name,
                start,
                extra=self._fields(input),
            )
        return records

    def _tell(self, input: Input, start: int, error: Exception) -> None:
        """Once, until it can be read again. An error of ours says all; of any other it is shown where it comes from."""
        if input.name not in self.errors:
            text = "shard %d: input %s cannot be read from offset %d; it is asked again every %d ms: %s"
            where = None if isinstance(error, ShardlogError) else error
            fields = self._fields(input)
            log.error(text, self._shard, input.name, start, self._retry_ms, error, exc_info=where, extra=fields)

    def _is_calm(self, input: Input, now_ms: float) -> bool:
        """Whether it has not failed for a while: one that gives nothing yet may be about to say why."""
        return now_ms - self._asked_again_ms.get(input.name, 0.0) > self._retry_ms + CALM_MS

    def _fields(self, input: Input) -> Fields:
        return {"shard": self._shard, "input": input.name}


def _check_name(name: str) -> None:
    """Refuse a name that cannot stand in frames. Raises ConfigurationError."""
    kind, _, rest = name.partition(":")
    own, _, incarnation = rest.rpartition(":")
    if kind not in INPUT_KINDS or not own or not incarnation:
        raise ConfigurationError(
            f"input {name!r}: its name must be KIND:NAME:INCARNATION, and KIND one of {', '.join(sorted(INPUT_KINDS))}"
        )
