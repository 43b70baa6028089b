"""MariaDB 10.11 and newer, by PyMySQL: strict, in UTC, writers at READ COMMITTED, where few gaps are locked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL

from shardlog.adapters.sql.dialects.dialect import WRITES, Compiled, SqlDialect, Upsert, compiled
from shardlog.adapters.sql.dialects.fitting import strict
from shardlog.adapters.sql.dialects.mariadb_types import LIMITS, speak_mariadb
from shardlog.adapters.sql.values import Convert, time_text
from shardlog.errors import ConfigurationError, ProjectionError, StoreUnavailable
from shardlog.ports.rows import Column, TableShape

if TYPE_CHECKING:
    import pymysql

CONNECT_SECONDS = 10
ANSWER_SECONDS = 300
"""How long an answer may take before the connection counts as lost."""
SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Without it, MariaDB cuts and rounds what does not fit, and goes on."""
INSTALL = "projections in MariaDB need PyMySQL: pip install 'shardlog[mariadb]'"
PACKET = "shardlog_packet_bytes"
LOCK = "CONCAT('shardlog tables ', DATABASE())"
ONE_BY_ONE = "/* one by one */ "
"""PyMySQL joins the rows of an INSERT into one, where its ON DUPLICATE KEY UPDATE must have no parameters."""


class MariadbDialect(SqlDialect):
    """MariaDB."""

    name = "mariadb"
    commits_ddl = True

    def open(self, url: URL, lock_wait_ms: int) -> Engine:
        seconds = max(1, lock_wait_ms // 1000)
        told = f"SET SESSION innodb_lock_wait_timeout={seconds}, lock_wait_timeout={seconds}, time_zone='+00:00'"
        arguments = {"charset": "utf8mb4", "sql_mode": SQL_MODE, "init_command": told}
        waits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS}
        try:
            engine = create_engine(
                url.set(drivername="mariadb+pymysql"),
                paramstyle="format",
                isolation_level="REPEATABLE READ",
                pool_pre_ping=True,
                connect_args={**arguments, **waits},
            )
        except ModuleNotFoundError as error:
            raise ConfigurationError(INSTALL) from error
        speak_mariadb(engine.dialect)
        event.listen(engine, "connect", _measure)
        event.listen(engine, "begin", _begin)
        return engine

    def converter(self, column: Column, shape: TableShape) -> Convert | None:
        return strict(column, shape, LIMITS, {"time": _time})

    def put(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        return self.increment_alike(upsert, (), [name for name in upsert.inserted if name not in upsert.keys], dialect)

    def increment(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        insert = mysql.insert(upsert.table).values(dict(upsert.inserted))
        changed = dict(upsert.changed) or _unchanged(insert, upsert)
        said = compiled(insert.on_duplicate_key_update(changed), dialect)
        return Compiled(ONE_BY_ONE + said.text, said.names) if upsert.changed else said

    def increment_alike(self, upsert: Upsert, adds: Sequence[str], sets: Sequence[str], dialect: Dialect) -> Compiled:
        insert = mysql.insert(upsert.table).values(dict(upsert.inserted))
        changed: dict[str, ColumnElement[Any]] = {name: upsert.table.c[name] + insert.inserted[name] for name in adds}
        changed.update({name: insert.inserted[name] for name in sets})
        return compiled(insert.on_duplicate_key_update(changed or _unchanged(insert, upsert)), dialect)

    def check_rows(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """A row that is larger than the server takes would end the connection, over and over."""
        most: int = connection.info.get(PACKET, 0)
        for row in rows:
            size = (
                64 * len(row)
                + sum(len(value) for value in row if isinstance(value, str | bytes)) * LIMITS.character_bytes
            )
            if size > most:
                raise ValueError(
                    f"a row of up to {size} bytes as a statement is more than the server takes: max_allowed_packet is "
                    f"{most}"
                )

    def kind(self, origin: BaseException) -> type[ProjectionError] | None:
        try:
            import pymysql

            from shardlog.adapters.sql.dialects import mariadb_faults
        except ModuleNotFoundError:
            return None
        return mariadb_faults.kind(origin) if isinstance(origin, pymysql.Error) else None

    def shown(self, column: Column, value: Any) -> object:
        return time_text(value.replace(tzinfo=UTC)) if column.kind == "time" else value

    @contextmanager
    def making_tables(self, engine: Engine) -> Iterator[None]:
        """DDL commits what is open, so that no transaction keeps two makers of tables apart: a named lock does.

        A connection of its own has it, so that it is let go after the commit; a lost connection has let go of it.
        """
        with engine.connect() as keeper:
            took = keeper.exec_driver_sql(f"SELECT GET_LOCK({LOCK}, @@lock_wait_timeout)").scalar_one()
            if took != 1:
                raise StoreUnavailable(
                    "another process makes tables in this database. Nothing was written; the same may work later."
                )
            try:
                yield
            finally:
                keeper.exec_driver_sql(f"DO RELEASE_LOCK({LOCK})")


def _unchanged(insert: mysql.Insert, upsert: Upsert) -> dict[str, ColumnElement[Any]]:
    """INSERT IGNORE would hide errors; a key that is set to itself changes nothing."""
    return {upsert.keys[0]: insert.inserted[upsert.keys[0]]}


def _time(value: datetime) -> str:
    return time_text(value).replace("T", " ").removesuffix("Z")


def _measure(connection: pymysql.Connection[Any], record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        (record.info[PACKET],) = cursor.fetchone() or (0,)
    connection.rollback()


def _begin(connection: Connection) -> None:
    """Readers see one moment; a writer sees what is committed, row by row, as checkpoints are compared."""
    if connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
