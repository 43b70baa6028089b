"""The projection store on a real MariaDB keeps the contract, in a database whose own character set is another."""

from __future__ import annotations

import pytest

from shardlog.adapters.sql import SqlProjectionStore
from shardlog.ports.projections import ProjectionStore
from shardlog.testing.contracts.projections import ProjectionStoreContract
from tests.mariadb_fixtures import connected


class TestMariadb(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, mariadb: str) -> None:
        self.url = mariadb

    def open(self) -> ProjectionStore:
        return SqlProjectionStore(self.url)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        connection = connected(self.url)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM `{table}` ORDER BY 1, 2")
            found = list(cursor.fetchall())
        connection.close()
        return found
