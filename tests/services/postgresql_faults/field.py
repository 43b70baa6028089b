"""One projection in one schema, its workers, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.services.postgresql_faults.judge import Contents, assert_equal, fresh, tables_of
from tests.services.postgresql_faults.ledger import SHARDS, ledger, write_journal
from tests.services.postgresql_faults.workers import WorkerProcess, read_to, wait_for, waiting_in_a_batch
from tests.services.projecting_process import Work
from tests.unit.projector.log import JOURNAL

LIMITS = Limits(batch_frames_max=SHARDS, lease_ms=900)


class Field:
    """A journal that is there, and workers that project it into a schema of the server at `url`."""

    def __init__(self, directory: Path, url: str, schema: str, events: int, seed: int, poison: float = 0.03) -> None:
        self.directory = directory
        self.url = url
        self.schema = schema
        self.journal_directory = directory / "journal"
        self.journal: SqliteJournal = write_journal(self.journal_directory, events, Random(seed), poison=poison)
        self.application, self.projection = ledger()
        self.workers: list[WorkerProcess] = []

    def work(self, **given: object) -> WorkerProcess:
        """Start a worker, and wait until it serves."""
        worker = self.start(**given)
        worker.wait_until_serving()
        return worker

    def start(self, **given: object) -> WorkerProcess:
        """Start a worker. Its limits are small, so that there are many batches."""
        fields = {"journal": str(self.journal_directory), "url": self.url, "schema": self.schema, "limits": LIMITS}
        worker = WorkerProcess(self.directory, Work(**{**fields, **given}))  # type: ignore[arg-type]  # as Work's fields
        self.workers.append(worker)
        return worker

    def begin(self, batches: int = 1) -> None:
        """Project the first batches here, so that all tables have rows to be met at."""
        store = PostgresqlProjectionStore(self.url, schema=self.schema)
        try:
            limits = Limits(batch_frames_max=4 * SHARDS, turn_ms=0)
            projector = Projector(self.journal, JOURNAL, SHARDS, self.application, [self.projection], store, limits)
            for _ in range(batches):
                projector.step()
        finally:
            store.close()

    @contextmanager
    def rows_held(self) -> Iterator[None]:
        """Inside of it nobody can change a row that all shards increment, so that every batch gets stuck half-way."""
        with psycopg.connect(self.url) as holder:
            holder.execute(SQL("SELECT 1 FROM {} FOR UPDATE").format(Identifier(self.schema, "buckets")))
            yield
            holder.rollback()

    def wait_until_in_a_batch(self, workers: int = 1) -> None:
        """Until so many workers' transactions have moved checkpoints and written rows, and wait for a held one."""
        wait_for(lambda: waiting_in_a_batch(self.url) >= workers, lambda: f"{workers} in a batch; {self.where()}")

    def read(self) -> dict[int, int]:
        """By shard, what is committed."""
        return read_to(self.url, self.schema)

    def ends(self) -> dict[int, int]:
        """By shard, where the journal ends."""
        return {shard: self.journal.offsets(shard)[1] for shard in range(SHARDS)}

    def wait_until_caught_up(self, within_s: float = 120.0) -> None:
        wait_for(lambda: self.read() == self.ends(), lambda: f"end of the journal; {self.where()}", within_s)

    def where(self) -> str:
        try:
            read = str(self.read())
        except psycopg.Error as error:
            read = str(error)
        return "\n".join([f"read {read} of {self.ends()}", *(worker.where() for worker in self.workers)])

    def contents(self) -> Contents:
        return tables_of(self.url, self.schema, self.projection)

    def finish(self) -> Contents:
        """All is read, the workers end, and the rows are those of a fresh rebuild, byte for byte. Returns them."""
        self.wait_until_caught_up()
        for worker in self.workers:
            if worker.is_running:
                worker.end()
        found = self.contents()
        assert_equal(found, fresh(self.url, self.journal, SHARDS, self.application, self.projection))
        return found

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.journal.close()
