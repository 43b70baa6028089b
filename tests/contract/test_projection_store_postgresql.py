"""The projection store on a real PostgreSQL keeps the contract, in a schema whose name needs quotes."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.errors import CheckpointMoved, ConfigurationError, StoreUnavailable
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, Columns, ProjectionStore
from shardlog.testing.contracts.projections import TALLIES, ProjectionStoreContract, changes, checkpoint


class TestPostgresql(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgresql: str, postgresql_schema: str) -> None:
        self.url, self.schema = postgresql, postgresql_schema

    def open(self) -> ProjectionStore:
        return PostgresqlProjectionStore(self.url, schema=self.schema)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            name = Identifier(self.schema, table)
            return connection.execute(SQL("SELECT * FROM {} ORDER BY 1, 2").format(name)).fetchall()

    def test_of_two_workers_that_move_one_checkpoint_the_second_is_refused(self, store: ProjectionStore) -> None:
        other = self.open()
        increments = {Columns(("n",), ()): [("a", 1, 3, "none", None, 3)]}
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(increments=increments)))
        with pytest.raises(CheckpointMoved):
            other.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(increments=increments)))
        store.write(Batch(TALLIES, [Move(checkpoint(5), checkpoint(8))], changes(increments=increments)))
        with pytest.raises(CheckpointMoved):
            other.write(Batch(TALLIES, [Move(checkpoint(5), checkpoint(8))], changes(increments=increments)))
        other.close()
        assert self.tallies() == [("a", 1, 6, "none", None)]

    def test_a_terminated_connection_is_unavailable_once_and_the_batch_is_then_written(
        self, store: ProjectionStore
    ) -> None:
        batch = Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)]))
        with psycopg.connect(self.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shardlog projector'"
            )
        try:
            store.write(batch)
        except StoreUnavailable:
            store.write(batch)
        assert self.tallies() == [("a", 1, 5, "x", None)]

    def test_another_database_is_refused_without_its_password(self) -> None:
        with pytest.raises(ConfigurationError, match="postgresql://") as raised:
            PostgresqlProjectionStore("mysql://ann:secret@db/x")
        assert "secret" not in str(raised.value)
