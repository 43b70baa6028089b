"""One projection's part of one batch: heard frame by frame, written here or beside, and settled where it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from shardlog.errors import DomainError, HandlerFailed, RowsRefused, ShardlogError
from shardlog.ports.projections import Batch
from shardlog.projector.core import Passed, Record
from shardlog.projector.draft import ChangesRefused
from shardlog.projector.heard import Heard
from shardlog.projector.settling import Settling
from shardlog.projector.worker import Outdated, Worker
from shardlog.projector.writing import begun


class Drafted:
    """Of one worker. passed, records: what the batch is made of. settling: of that worker."""

    def __init__(self, worker: Worker, passed: Passed, records: Sequence[Record], settling: Settling) -> None:
        self._worker = worker
        self._passed = passed
        self._records = records
        self._settling = settling
        self._draft = worker.draft()
        self._error: ShardlogError | None = None
        self._under_way: tuple[Batch, Callable[[], float | None]] | None = None

    @property
    def can_be_followed(self) -> bool:
        """Whether what comes next can be heard before this is written."""
        return self._error is None and self._worker.goes_on_from(self._draft)

    def hear(self, heard: list[Heard]) -> None:
        """Take what is heard of the next frame, unless something before it was refused."""
        if self._draft.is_torn or self._error is not None:
            return
        try:
            self._draft.hear(heard)
        except (ChangesRefused, HandlerFailed):  # what stands before is written when it is settled
            self._draft.is_torn = True
        except ShardlogError as error:
            self._error = error

    def begin(self, *, beside: bool) -> None:
        """Begin to write, once what comes before is written: in a thread beside, or `end` does it."""
        worker = self._worker
        if worker.stopped is not None or self._error is not None or self._draft.is_torn:
            return
        worker.ages.read(self._passed.frames)
        try:
            batch = worker.batch(self._draft, self._passed.checkpoints)
        except DomainError:
            return
        write = partial(worker.write, batch, self._passed.checkpoints)
        self._under_way = batch, begun(write) if beside else write

    def end(self) -> bool:
        """Have it written, and settle with care where an event does not fit. Other errors stop the worker.

        Returns whether it was written as it was drafted; else what was heard behind it counts for nothing.
        """
        worker = self._worker
        if worker.stopped is not None:
            return False
        try:
            return self._finish()
        except ShardlogError as error:
            worker.stopped = error
            return False

    def _finish(self) -> bool:
        if self._error is not None:
            raise self._error
        if self._under_way is not None:
            batch, write = self._under_way
            try:
                took_s = write()
            except (Outdated, RowsRefused, DomainError):
                pass  # some event is at fault, or letters were settled: it is looked for, and planned again
            else:
                self._worker.committed(self._draft, batch, self._passed.checkpoints, took_s)
                return took_s is not None
        self._settling.settle(self._records)
        return False
