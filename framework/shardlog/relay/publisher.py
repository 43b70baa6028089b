"""The publisher: reads every shard, and publishes what its frames say together with how far it has come (rule C3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from shardlog.codec.json import NOT_DECODED
from shardlog.errors import OutputsFailed, PublisherReplaced, ShardlogError
from shardlog.journal.reader import FrameTaken, Reader, check_reach
from shardlog.journal.records import decode_raw_frame
from shardlog.journal.undecoded import undecoded
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.journal import Journal
from shardlog.ports.originals import Originals
from shardlog.ports.outputs import OutputRecord, Outputs
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.attempts import Attempts, GrowingWait, Seldom
from shardlog.relay.core import FramePlace
from shardlog.relay.letter_records import letter_record
from shardlog.relay.limits import PublisherLimits
from shardlog.relay.publishing import Publishing
from shardlog.relay.reading import begin_readers
from shardlog.telemetry.figures import PublisherFigures

WHOSE = "the publisher"
OUTPUTS = "the topics"
REACH_CHECK_MS = 1_000


class Publisher:
    """Publishes a journal's events, replies and dead letters. It has no thread: call `step` from one.

    journal_id, shards: as the journal's meta record says. originals: where dead letters get the records that they speak
    of. monotonic_ms: a clock for waits.

    Readers of committed records see each output once. A second publisher takes the first one's place: that one notes
    PublisherReplaced, waits, and takes it back; nothing is doubled by that, and nothing is won.
    """

    def __init__(
        self,
        journal: Journal,
        journal_id: str,
        shards: int,
        publishing: Publishing,
        outputs: Outputs,
        originals: Originals,
        monotonic_ms: Callable[[], float],
        limits: PublisherLimits | None = None,
    ) -> None:
        self.published = 0
        self._journal = journal
        self._id = journal_id
        self._shards = shards
        self._publishing = publishing
        self._outputs = outputs
        self._originals = originals
        self._now_ms = monotonic_ms
        self._limits = limits or PublisherLimits()
        self._attempts = Attempts("publisher", monotonic_ms, self._limits.retry_ms, self._limits.retry_ms_max)
        self._reach = Seldom(monotonic_ms, REACH_CHECK_MS)
        self._readers: list[Reader] = []
        self._stored: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._first = 0
        self._written_ms = monotonic_ms()
        self._failed_wait = GrowingWait(self._limits.retry_ms, self._limits.retry_ms_max)
        self._is_failing = False
        self._replaced_wait = GrowingWait(self._limits.retry_ms, self._limits.replaced_ms_max)
        self._replaced_ms = float("-inf")
        self._batch: list[OutputRecord] = []
        self._batch_bytes = 0

    @property
    def errors(self) -> dict[str, ShardlogError]:
        """What goes wrong now, by what it concerns."""
        return self._attempts.errors

    def step(self) -> bool:
        """One transaction with what is there, within the limits. Returns whether there was more to read.

        What goes wrong stands in `errors` until it goes right; it is tried again after a while, and a shard that cannot
        be read does not hold back the others.
        """
        if not self._readers and not self._attempts.attempt(OUTPUTS, self._begin, grows=False):
            return False
        is_more_there = self._read()
        is_due = self._now_ms() - self._written_ms >= self._limits.checkpoint_ms
        if self._batch or is_due:
            self._write()
        return is_more_there

    @property
    def progress(self) -> int:
        """Another number where a step has read or published something."""
        return self.published + sum(reader.position for reader in self._readers)

    def figures(self) -> PublisherFigures:
        """What it shows of itself to metrics. From any thread, and without I/O: ends are those of the last look."""
        return PublisherFigures(
            published=self.published, failing=len(self.errors), next=dict(self._stored), end=dict(self._ends)
        )

    def behind(self) -> int:
        """Records whose outputs are not published, over all shards; a question to the log."""
        return sum(self._journal.offsets(shard)[1] - self._stored.get(shard, 0) for shard in range(self._shards))

    def flush(self) -> None:
        """Publish what was read, and store how far. Raises nothing: see `errors`."""
        if self._readers:
            self._write()

    # -- reading -------------------------------------------------------------------------------------------------------
    def _begin(self) -> bool:
        """Take over, and begin where the stored checkpoints say. Raises Diverged where they do not fit."""
        self._batch, self._batch_bytes = [], 0
        stored = self._outputs.begin()
        self._readers = begin_readers(stored, self._id, self._shards, WHOSE)
        self._stored = {shard: checkpoint.next for shard, checkpoint in stored.items()}
        self._written_ms = self._now_ms()
        return True

    def _read(self) -> bool:
        """Fill the transaction, beginning with another shard each time; True where a limit ended it."""
        give_up_ms = self._now_ms() + self._limits.transaction_ms
        first = self._first = (self._first + 1) % self._shards
        is_more_there = False
        for reader in self._readers[first:] + self._readers[:first]:
            is_more_there |= self._attempts.attempt(f"shard {reader.shard}", partial(self._take, reader, give_up_ms))
        return is_more_there

    def _take(self, reader: Reader, give_up_ms: float) -> bool:
        """Read on up to a limit. Raises JournalError; what was read before it counts."""
        if self._is_full:
            return True
        start, is_more_there = reader.position, False
        for offset, value in self._journal.read(reader.shard, start):
            found = self._outputs_of(reader, offset, value)
            reader.pass_over(offset, value)  # with all outputs made, as the checkpoint may follow from here on
            self._batch += found
            self._batch_bytes += sum(len(record.value or b"") for record in found)
            if self._is_full or self._now_ms() > give_up_ms:
                is_more_there = True
                break  # before another is taken: the journal's reader then stands where this one goes on
        if self._reach.is_due(reader.shard):
            end = self._ends[reader.shard] = self._journal.offsets(reader.shard)[1]
            if reader.position == start:
                check_reach(reader.state, end, WHOSE)
        return is_more_there

    @property
    def _is_full(self) -> bool:
        limits = self._limits
        return len(self._batch) >= limits.transaction_records_max or self._batch_bytes >= limits.transaction_bytes_max

    def _outputs_of(self, reader: Reader, offset: int, value: bytes) -> list[OutputRecord]:
        verdict = reader.judge(offset, value)
        if not isinstance(verdict, FrameTaken):
            return []
        try:
            frame = decode_raw_frame(verdict.body)
        except NOT_DECODED as error:
            raise undecoded(reader.shard, offset, verdict.body, (), error) from error
        place = FramePlace(reader.journal, reader.shard, offset, reader.epoch, reader.seq + 1)
        found = self._publishing.outputs(place, frame)
        return [self._letter(one) if isinstance(one, CommandDeadLetter) else one for one in found]

    def _letter(self, letter: CommandDeadLetter) -> OutputRecord:
        original = None
        if letter.input:
            original = self._originals.fetch(letter.input, letter.position.shard, letter.input_offset)
        key = self._publishing.routing_key(letter.category, letter.id)
        return letter_record(letter, original, key, self._limits.original_bytes_max)

    # -- writing -------------------------------------------------------------------------------------------------------
    def _write(self) -> None:
        """One transaction of the batch. After any error all begins again where the stored checkpoints say."""
        moved = [
            Checkpoint(*reader.state)
            for reader in self._readers
            if reader.position != self._stored.get(reader.shard, 0)
        ]
        self._written_ms = self._now_ms()
        if not moved:
            return
        try:
            self._outputs.write(self._batch, moved)
        except PublisherReplaced as error:
            self._readers = []
            self._attempts.failed(OUTPUTS, error, self._replaced_again())
        except ShardlogError as error:
            self._readers = []
            self._attempts.failed(OUTPUTS, error, self._failed_again(error))
        else:
            self._is_failing = False
            self._stored |= {checkpoint.shard: checkpoint.next for checkpoint in moved}
            self.published += len(self._batch)
        self._batch, self._batch_bytes = [], 0

    def _failed_again(self, error: ShardlogError) -> float:
        """How long to wait: not at all where what fails seldom has failed, then longer each time until one succeeds."""
        is_first, self._is_failing = not self._is_failing, True
        if is_first:
            self._failed_wait.restart()
        return 0.0 if is_first and isinstance(error, OutputsFailed) else self._failed_wait.next()

    def _replaced_again(self) -> float:
        """How long to leave the other alone: longer each time, until it was quiet for a good while."""
        now = self._now_ms()
        if now - self._replaced_ms > 2 * self._limits.replaced_ms_max:
            self._replaced_wait.restart()
        self._replaced_ms = now
        return self._replaced_wait.next()
