"""Writing records, whatever is wrong with some of their events: in halves, until those are found and dead letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from shardlog.errors import DomainError, HandlerFailed, RowsRefused, ShardlogError
from shardlog.model.recorded import Position
from shardlog.projector.core import Frame, Passed, Record, Source, pass_over
from shardlog.projector.draft import ChangesRefused, Why, position_of, reason
from shardlog.projector.heard import Heard
from shardlog.projector.worker import Outdated, Worker

Read: TypeAlias = Callable[[Frame], list[Heard]]
"""Decodes a frame for one projection, among others."""
_Refused: TypeAlias = RowsRefused | DomainError
_Fault: TypeAlias = Outdated | ChangesRefused | RowsRefused | DomainError | HandlerFailed


class Settling:
    """One worker's way through records behind its checkpoints. read: decodes a frame. replans_max: as of Limits."""

    def __init__(self, worker: Worker, source: Source, read: Read, replans_max: int) -> None:
        self._worker = worker
        self._source = source
        self._read = read
        self._replans_max = replans_max

    def settle(self, records: Sequence[Record]) -> None:
        """Write these records, in halves where an event is at fault.

        Where the projection must stop at one, all records before it are written. Raises HandlerFailed there, and
        ProjectionError where the fault is not an event's.
        """
        condemned: dict[Position, Why] = {}
        replans = 0
        while True:
            passed = pass_over(self._source, self._worker.checkpoints, records)
            error = self._fault(passed, condemned)
            if error is None:
                return
            if len(records) > 1 and not isinstance(error, Outdated):
                middle = len(records) // 2
                self.settle(records[:middle])
                self.settle(records[middle:])
                return
            if isinstance(error, HandlerFailed):
                raise error
            if isinstance(error, ChangesRefused):
                condemned[error.position] = error.why
                continue
            found = error if isinstance(error, Outdated) else self._condemn(passed, condemned, error)
            if found is not None:
                replans += 1
                if replans > self._replans_max:
                    raise found if isinstance(found, Outdated) else self._passing(records[0], found)

    def _fault(self, passed: Passed, condemned: Mapping[Position, Why]) -> _Fault | None:
        """Write these frames; what is wrong with them, where that may be an event's fault.

        It is returned and not raised, so that what is raised later does not carry it along as its context.
        """
        draft = self._worker.draft(condemned)
        try:
            for frame in passed.frames:
                draft.hear(self._read(frame))
            self._worker.finish(draft, passed.checkpoints)
        except (Outdated, ChangesRefused, RowsRefused, DomainError, HandlerFailed) as error:
            return error
        return None

    def _condemn(self, passed: Passed, condemned: dict[Position, Why], error: _Refused) -> ShardlogError | None:
        """Condemn the event at fault. Returns why none was found, where it is to be looked for again."""
        items = [item for frame in passed.frames for item in self._read(frame)]
        try:
            refusal = self._refusal(items, condemned)
            if refusal is None:  # whatever was refused has passed
                return error
            count, why = self._at_fault(items, condemned, refusal)
            if self._refusal(items[:count], condemned) is None:  # it has passed while it was looked for
                return error
        except Outdated as outdated:
            return outdated
        condemned[position_of(items[count - 1][2])] = why
        return None

    def _passing(self, record: Record, error: ShardlogError) -> RowsRefused:
        return RowsRefused(
            f"projection {self._worker.name!r}: the rows of shard {record.shard}, offset {record.offset} were refused "
            f"{self._replans_max + 1} times, and taken whenever they were tried for the event at fault: {error} "
            "Nothing of them is written. Look for what changes the table's rules meanwhile, then resume the projection"
        )

    def _at_fault(self, items: list[Heard], condemned: Mapping[Position, Why], refusal: _Refused) -> tuple[int, Why]:
        """How many items lead up to the event whose rows are refused, and why: without it, the store takes them."""
        passes, fails, whole = 0, len(items), refusal
        while fails - passes > 1:
            middle = (passes + fails) // 2
            found = self._refusal(items[:middle], condemned)
            if found is None:
                passes = middle
            else:
                fails, refusal = middle, found
        if not items or position_of(items[fails - 1][2]) in condemned or self._refusal([], condemned) is not None:
            raise whole
        return fails, reason(refusal)

    def _refusal(self, items: list[Heard], condemned: Mapping[Position, Why]) -> _Refused | None:
        draft = self._worker.draft(condemned)
        try:
            draft.hear(items)
            return self._worker.refusal(draft)
        except DomainError as error:
            return error
