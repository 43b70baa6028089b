"""From the settings to the database of the projections' tables: a file beside the journal, PostgreSQL or MariaDB.

Whoever opens tables opens them here: an embedded engine, a projector, a rebuild, `shardlog status`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url

from shardlog.adapters.sql.engine import open_engine
from shardlog.adapters.sql.rows import RowReader
from shardlog.adapters.sql.select_only import SqliteTables
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.errors import ConfigurationError
from shardlog.ports.leases import Leases
from shardlog.ports.projections import ProjectionStore
from shardlog.ports.tables import Tables
from shardlog.projector.settings import ProjectionSettings
from shardlog.wiring.settings import Settings

TABLES = "projections.sqlite"
LOCK_WAIT_MS = 5_000
"""How long a connection waits for another's lock of the SQLite file, or in MariaDB."""


class ProjectionDatabase(NamedTuple):
    """Where the tables are. directory: the journal's, which holds them where the settings name no database."""

    directory: Path
    settings: ProjectionSettings = ProjectionSettings()

    @classmethod
    def of(cls, settings: Settings) -> ProjectionDatabase:
        """The database that these settings name."""
        return cls(settings.directory, settings.projections)

    @property
    def is_shared(self) -> bool:
        """Whether several processes may write there, each guarded by the checkpoints alone."""
        return self.settings.is_shared

    @property
    def has_leases(self) -> bool:
        """Whether processes can share the shards there; else one of them keeps all, and a second one is refused."""
        return self.is_shared and not self.settings.is_mariadb

    @property
    def file(self) -> Path:
        """The SQLite file, where the tables are in one."""
        return self.directory / TABLES

    @property
    def place(self) -> str:
        """Where the tables are, for people."""
        if not self.is_shared:
            return str(self.file)
        database = self.settings.database
        return database if self.settings.is_mariadb else f"schema {self.settings.schema} of {database}"

    @property
    def exists(self) -> bool:
        """Whether somebody has made it; a server's is asked when it is opened."""
        return self.is_shared or self.file.exists()

    def open_store(self) -> ProjectionStore:
        """The store, whose tables of its own are made where they are missing.

        Raises ConfigurationError, StoreUnavailable and StoreFailed.
        """
        if not self.is_shared:
            return SqlProjectionStore(self.file)
        if self.settings.is_mariadb:
            return SqlProjectionStore(self._mariadb_url(), lock_wait_ms=LOCK_WAIT_MS)
        url = self._url()
        from shardlog.adapters.postgresql import PostgresqlProjectionStore  # psycopg is an extra

        return PostgresqlProjectionStore(url, schema=self.settings.schema)

    def open_leases(self) -> Leases:
        """The leases of those who write tables where `has_leases`, once its store has been opened.

        Raises ConfigurationError.
        """
        url = self._url()
        from shardlog.adapters.postgresql import PostgresqlLeases  # psycopg is an extra

        return PostgresqlLeases(url, schema=self.settings.schema)

    def open_rows(self) -> RowReader:
        """What reads rows of the tables. Raises ConfigurationError."""
        return RowReader(self.open_engine())

    def tables(self) -> Tables:
        """The tables, for any SELECT and nothing else. Raises ConfigurationError, on MariaDB too."""
        if not self.is_shared:
            return SqliteTables(self.file)
        if self.settings.is_mariadb:
            raise ConfigurationError(
                f"the tables are in MariaDB, {self.settings.database!r}, and a SELECT is run here on SQLite and "
                "PostgreSQL only: ask it with MariaDB's own client. Tables as they were (--as-of) are built in SQLite "
                "or PostgreSQL whatever the settings name"
            )
        url = self._url()
        from shardlog.adapters.postgresql.select_only import PostgresqlTables

        return PostgresqlTables(url, self.settings.schema)

    def open_engine(self) -> Engine:
        """An engine whose connections see the tables by their names. Raises ConfigurationError."""
        if not self.is_shared:
            return open_engine(self.file, LOCK_WAIT_MS)
        if self.settings.is_mariadb:
            return open_engine(self._mariadb_url(), LOCK_WAIT_MS)
        url = self._url()
        from shardlog.adapters.postgresql import connecting

        return connecting.open_engine(url, self.settings.schema)

    def _mariadb_url(self) -> URL:
        password = self._password()
        url = make_url(self.settings.database)
        return url.set(password=password) if password else url

    def grant_reads(self, role: str) -> None:
        """Let a role of PostgreSQL read all tables, and those to come. Raises ConfigurationError, StoreUnavailable and
        StoreFailed."""
        if not self.is_shared or self.settings.is_mariadb:
            raise ConfigurationError(
                f"the tables are in {self.place}, and rights are given in PostgreSQL only "
                "([projections] database): whoever "
                "may read a SQLite file may read its tables, and in MariaDB it is GRANT SELECT ON database.*"
            )
        url = self._url()
        from shardlog.adapters.postgresql.granting import grant_reads

        grant_reads(url, schema=self.settings.schema, role=role)

    def _url(self) -> str:
        """With the password. Raises ConfigurationError where its file cannot be read, or where there is no psycopg."""
        try:
            from shardlog.adapters.postgresql.connecting import with_password
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"there is no module {error.name!r}: pip install 'shardlog[postgresql]'"
            ) from error
        return with_password(self.settings.database, self._password())

    def _password(self) -> str:
        if not self.settings.password_file:
            return self.settings.password
        return password_in(self.settings.password_file, "projections")


def password_in(file: str, section: str) -> str:
    """The password that a file holds. section: of the setting that names it. Raises ConfigurationError."""
    try:
        return Path(file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{section} setting password_file, {file}, cannot be read: {error}") from error
