"""The projection store on a SQL database, through SQLAlchemy Core: one way for all, and `dialects` for what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, RowMapping, insert, literal, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from shardlog.adapters.sql import letters
from shardlog.adapters.sql.batch_writers import run_writers
from shardlog.adapters.sql.builds import SqlBuilds
from shardlog.adapters.sql.dialects.choosing import making_tables
from shardlog.adapters.sql.engine import WRITES, open_engine
from shardlog.adapters.sql.faults import mapped
from shardlog.adapters.sql.joins import check_joins
from shardlog.adapters.sql.shape_check import check_table
from shardlog.adapters.sql.statements import TableStatements
from shardlog.adapters.sql.tables import BUILDS, CHECKPOINTS, REBUILDS, create_internal, of_build, row_table
from shardlog.adapters.sql.views import PlainViews
from shardlog.errors import CheckpointMoved, Diverged, RowsRefused
from shardlog.model.messages import Row
from shardlog.ports.builds import Build, BuildKey, Builds
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore, Stored, Stream
from shardlog.ports.rows import table_shape


class SqlProjectionStore(ProjectionStore):
    """Projections in one database.

    database: a SQLAlchemy URL, or the path of a SQLite file, which is made where it is missing; or an engine.
    lock_wait_ms: how long the database waits for another process's lock before the store is unavailable.
    Raises ConfigurationError for another database, StoreUnavailable and StoreFailed where it cannot be opened.
    """

    def __init__(self, database: str | Path | URL | Engine, *, lock_wait_ms: int = 5_000) -> None:
        self._engine = database if isinstance(database, Engine) else open_engine(database, lock_wait_ms)
        self._statements: dict[tuple[BuildKey, type[Row]], TableStatements] = {}
        with mapped(f"opening {self._engine.url.render_as_string()}"), self._transaction() as connection:
            create_internal(connection)

    @property
    def builds(self) -> Builds:
        """The builds in this database."""
        return SqlBuilds(self._transaction, self._moment, PlainViews())

    def prepare(self, build: Build) -> None:
        """Check the build's tables."""
        with mapped(f"checking the tables of build {build.key.label}"), self._moment() as connection:
            for row in build.projection.rows:
                check_table(connection, row_table(build, row))
            check_joins(connection, build)

    def stored(self, key: BuildKey) -> Stored:
        """Checkpoints, places of dead letters and the limits of a rebuild, of one moment."""
        with mapped(f"reading the checkpoints of build {key.label}"), self._moment() as connection:
            found = connection.execute(select(CHECKPOINTS).where(of_build(CHECKPOINTS, key))).mappings().all()
            limits = connection.execute(select(REBUILDS).where(of_build(REBUILDS, key))).mappings().all()
            places = letters.places(connection, key)
        return Stored(_by_shard(key, found), places, {row["shard"]: row["rebuild_to"] for row in limits})

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        """One transaction: all of the batch or nothing. With keep=False it is tried and rolled back."""
        try:
            with mapped(f"writing build {batch.build.key.label}"), self._engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: True})
                with connection.begin() as transaction:
                    self._write(connection, batch)
                    if not keep:
                        self._check_deferred(connection)
                        transaction.rollback()
        except RowsRefused:
            self.prepare(batch.build)
            raise

    def _check_deferred(self, connection: Connection) -> None:
        """Have the database check now what it else checks at the commit."""

    def dead_letters(self, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
        """All dead letters of the build, or of one stream, by stream in order of positions."""
        with mapped(f"reading the dead letters of build {key.label}"), self._engine.begin() as connection:
            return letters.contents(connection, key, stream)

    def close(self) -> None:
        """Free connections. Idempotent."""
        self._engine.dispose()

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        """A transaction whose readings are of one moment, as they always are on SQLite."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with making_tables(self._engine), self._engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def _of(self, build: Build, row: type[Row]) -> TableStatements:
        place = (build.key, row)
        if place not in self._statements:
            table = row_table(build, row)
            self._statements[place] = TableStatements(table, table_shape(row), self._engine.dialect)
        return self._statements[place]

    def _write(self, connection: Connection, batch: Batch) -> None:
        key = batch.build.key
        for move in batch.moves:
            _move(connection, key, move)
        for changes in batch.tables:
            statements = self._of(batch.build, changes.row)
            with mapped(f"writing table {statements.table.name!r} of projection {key.projection!r}"):
                statements.write(connection, changes)
        run_writers(connection, batch)
        write_rest(connection, batch, letters.open_of_each)


def write_rest(connection: Connection, batch: Batch, look: letters.Look) -> None:
    """What a batch seldom has: dead letters, and what was passed over by hand. look: as of `letters.write`."""
    if batch.letters or batch.handled or batch.skipped:
        letters.write(connection, batch, look)
    if batch.passed_over:
        told = BUILDS.c.passed_over + literal(batch.passed_over)
        connection.execute(update(BUILDS).where(of_build(BUILDS, batch.build.key)).values(passed_over=told))


def _move(connection: Connection, key: BuildKey, move: Move) -> None:
    """PROTOCOL C1: from exactly the old checkpoint to the new one, or CheckpointMoved."""
    values = move.new._asdict()
    if move.old is None:
        named = {"projection": key.projection, "version": key.version, "build": key.number, **values}
        there = select(*(literal(value, CHECKPOINTS.c[name].type) for name, value in named.items()))
        first = insert(CHECKPOINTS).from_select(list(named), there.select_from(BUILDS).where(of_build(BUILDS, key)))
        try:
            count = connection.execute(first).rowcount
        except IntegrityError as error:
            raise moved(key, move) from error
    else:
        held, old = CHECKPOINTS.c, move.old
        where = (of_build(CHECKPOINTS, key), held.journal == old.journal, held.shard == old.shard)
        as_expected = (held.next == old.next, held.head == old.head)
        count = connection.execute(update(CHECKPOINTS).where(*where, *as_expected).values(values)).rowcount
    if count != 1:
        raise moved(key, move)


def moved(key: BuildKey, move: Move) -> CheckpointMoved:
    """What is raised where a checkpoint is not as a move expects."""
    expected = f"at offset {move.old.next}" if move.old else "not begun"
    return CheckpointMoved(
        f"projection {key.projection!r} version {key.version} build {key.number}, shard {move.new.shard}: the "
        f"checkpoint is no longer {expected}: another worker has moved it, or the build is dropped. Nothing was "
        "written here; let one worker at a time serve a projection."
    )


def _by_shard(key: BuildKey, rows: Sequence[RowMapping]) -> dict[int, Checkpoint]:
    checkpoints = [Checkpoint(**{field: row[field] for field in Checkpoint._fields}) for row in rows]
    journals = {checkpoint.journal for checkpoint in checkpoints}
    if len(journals) > 1:
        first = checkpoints[0]
        why = f"projection {key.projection!r} has checkpoints of {len(journals)} journals: rebuild it"
        raise Diverged(first.shard, first.next, why)
    return {checkpoint.shard: checkpoint for checkpoint in checkpoints}
