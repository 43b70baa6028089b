"""The SQL relay store on a SQLite file keeps the contract, survives its process, and says what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.adapters.sql.relay_store import SqlRelayStore
from shardlog.errors import StoreFailed, StoreUnavailable
from shardlog.ports.checkpoints import Move
from shardlog.ports.relay import RelayStore
from shardlog.testing.contracts.relay import RelayStoreContract, checkpoint


class TestSqliteFile(RelayStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = tmp_path / "relay.sqlite"

    def open(self) -> RelayStore:
        return SqlRelayStore(self.path)

    def test_a_commit_is_on_the_disk(self) -> None:
        store = SqlRelayStore(self.path)
        with store._engine.begin() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        store.close()

    def test_another_process_that_holds_the_file_makes_it_unavailable(self) -> None:
        holder, store = SqlRelayStore(self.path), SqlRelayStore(self.path, lock_wait_ms=1)
        with holder._transaction(), pytest.raises(StoreUnavailable, match="relay's checkpoints"):
            store.write([Move(None, checkpoint(5))], [])
        store.write([Move(None, checkpoint(5))], [])
        holder.close()
        store.close()

    def test_a_file_that_is_no_database_is_said_to_be_unusable(self) -> None:
        self.path.write_bytes(b"no database at all" * 100)
        with pytest.raises(StoreFailed, match=r"relay\.sqlite"):
            SqlRelayStore(self.path)
