"""The projection store on a SQL database: SQLite or PostgreSQL, through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, RowMapping, Table, delete, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from shardlog.adapters.sql import letters
from shardlog.adapters.sql.engine import WRITES, open_engine
from shardlog.adapters.sql.faults import mapped
from shardlog.adapters.sql.owners import own
from shardlog.adapters.sql.shape_check import check_table
from shardlog.adapters.sql.statements import TableStatements
from shardlog.adapters.sql.tables import CHECKPOINTS, REBUILDS, create_internal, of_projection, row_table
from shardlog.errors import CheckpointMoved, Diverged, RowsRefused
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore, Stored
from shardlog.ports.rows import table_shape


class SqlProjectionStore(ProjectionStore):
    """Projections in one database.

    database: a SQLAlchemy URL, or the path of a SQLite file, which is made where it is missing; or an engine.
    lock_wait_ms: how long SQLite waits for another process's lock before the store is unavailable.
    Raises ConfigurationError for another database, StoreUnavailable and StoreFailed where it cannot be opened.
    """

    def __init__(self, database: str | Path | URL | Engine, *, lock_wait_ms: int = 5_000) -> None:
        self._engine = database if isinstance(database, Engine) else open_engine(database, lock_wait_ms)
        self._statements: dict[tuple[str, int, type[Row]], TableStatements] = {}
        with mapped(f"opening {self._engine.url.render_as_string()}"), self._transaction() as connection:
            create_internal(connection)

    def prepare(self, projection: Projection) -> None:
        """Make the projection's tables where they are missing, and check those that are there."""
        tables = [row_table(projection, row) for row in projection.rows]
        with mapped(f"preparing the tables of projection {projection.name!r}"), self._transaction() as connection:
            for table in tables:
                own(connection, projection, table)
                table.create(connection, checkfirst=True)
            _check(connection, tables)

    def stored(self, projection: Projection) -> Stored:
        """Checkpoints, places of dead letters and the limits of the last rebuild, of one moment."""
        with mapped(f"reading the checkpoints of projection {projection.name!r}"), self._moment() as connection:
            found = (
                connection.execute(select(CHECKPOINTS).where(of_projection(CHECKPOINTS, projection))).mappings().all()
            )
            limits = connection.execute(select(REBUILDS).where(of_projection(REBUILDS, projection))).mappings().all()
            places = letters.places(connection, projection)
        return Stored(_by_shard(projection, found), places, {row["shard"]: row["rebuild_to"] for row in limits})

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        """One transaction: all of the batch or nothing. With keep=False it is tried and rolled back."""
        try:
            with mapped(f"writing projection {batch.projection.name!r}"), self._engine.connect() as plain:
                connection = plain.execution_options(**{WRITES: True})
                with connection.begin() as transaction:
                    self._write(connection, batch)
                    if not keep:
                        transaction.rollback()
        except RowsRefused:
            self._check_tables(batch.projection)
            raise

    def dead_letters(self, projection: Projection) -> list[DeadLetter]:
        """All dead letters of this version of the projection, by stream in order of positions."""
        with mapped(f"reading the dead letters of projection {projection.name!r}"), self._engine.begin() as connection:
            return letters.contents(connection, projection)

    def drop(self, projection: Projection, rebuild_to: Mapping[int, int]) -> None:
        """Drop tables and checkpoints, make the tables anew, keep the dead letters, and remember `rebuild_to`."""
        name, version = projection.name, projection.version
        limits = [
            {"projection": name, "version": version, "shard": shard, "rebuild_to": limit}
            for shard, limit in sorted(rebuild_to.items())
        ]
        with mapped(f"dropping projection {name!r}"), self._transaction() as connection:
            for row in projection.rows:
                table = row_table(projection, row)
                own(connection, projection, table)
                table.drop(connection, checkfirst=True)
                table.create(connection)
            for internal in (CHECKPOINTS, REBUILDS):
                connection.execute(delete(internal).where(of_projection(internal, projection)))
            if limits:
                connection.execute(insert(REBUILDS), limits)

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
        with self._engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def _of(self, projection: Projection, row: type[Row]) -> TableStatements:
        key = (projection.name, projection.version, row)
        if key not in self._statements:
            table = row_table(projection, row)
            self._statements[key] = TableStatements(table, table_shape(row), self._engine.dialect)
        return self._statements[key]

    def _write(self, connection: Connection, batch: Batch) -> None:
        projection = batch.projection
        for move in batch.moves:
            _move(connection, projection, move)
        for changes in batch.tables:
            statements = self._of(projection, changes.row)
            with mapped(f"writing table {statements.table.name!r} of projection {projection.name!r}"):
                statements.write(connection, changes)
        if batch.letters or batch.handled or batch.skipped:
            letters.write(connection, batch)

    def _check_tables(self, projection: Projection) -> None:
        with mapped(f"checking the tables of projection {projection.name!r}"), self._engine.begin() as connection:
            _check(connection, [row_table(projection, row) for row in projection.rows])


def _check(connection: Connection, tables: Sequence[Table]) -> None:
    for table in tables:
        check_table(connection, table)


def _move(connection: Connection, projection: Projection, move: Move) -> None:
    """PROTOCOL C1: from exactly the old checkpoint to the new one, or CheckpointMoved."""
    values = move.new._asdict()
    if move.old is None:
        try:
            connection.execute(
                insert(CHECKPOINTS), {"projection": projection.name, "version": projection.version, **values}
            )
        except IntegrityError as error:
            raise moved(projection, move) from error
        return
    held = CHECKPOINTS.c
    where = (of_projection(CHECKPOINTS, projection), held.journal == move.old.journal, held.shard == move.old.shard)
    as_expected = (held.next == move.old.next, held.head == move.old.head)
    if connection.execute(update(CHECKPOINTS).where(*where, *as_expected).values(values)).rowcount != 1:
        raise moved(projection, move)


def moved(projection: Projection, move: Move) -> CheckpointMoved:
    """What is raised where a checkpoint is not as a move expects."""
    expected = f"at offset {move.old.next}" if move.old else "not begun"
    return CheckpointMoved(
        f"projection {projection.name!r} version {projection.version}, shard {move.new.shard}: the checkpoint is no "
        f"longer {expected}: another worker has moved it. Nothing was written here; let one worker at a time serve a "
        "projection."
    )


def _by_shard(projection: Projection, rows: Sequence[RowMapping]) -> dict[int, Checkpoint]:
    checkpoints = [Checkpoint(**{field: row[field] for field in Checkpoint._fields}) for row in rows]
    journals = {checkpoint.journal for checkpoint in checkpoints}
    if len(journals) > 1:
        first = checkpoints[0]
        why = f"projection {projection.name!r} has checkpoints of {len(journals)} journals: rebuild it"
        raise Diverged(first.shard, first.next, why)
    return {checkpoint.shard: checkpoint for checkpoint in checkpoints}
