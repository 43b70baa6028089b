"""Which dialect a database has."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

from sqlalchemy import Connection, Dialect, Engine

from shardlog.adapters.sql.dialects.dialect import SqlDialect
from shardlog.adapters.sql.dialects.mariadb import MariadbDialect
from shardlog.adapters.sql.dialects.mssql import MssqlDialect
from shardlog.adapters.sql.dialects.sqlite import SqliteDialect
from shardlog.errors import ConfigurationError, ProjectionError


@cache
def dialect_named(backend: str) -> SqlDialect:
    """By the name of a URL's database: sqlite, mariadb, mysql (which MariaDB answers to as well) or mssql.

    Raises ConfigurationError for a database that has no statements here.
    """
    if backend == "sqlite":
        return SqliteDialect()
    if backend in ("mariadb", "mysql"):
        return MariadbDialect()
    if backend == "mssql":
        return MssqlDialect()
    raise ConfigurationError(
        f"the generic projection store keeps tables in SQLite or MariaDB, and this database is {backend!r}. Give a "
        "sqlite:// or mariadb:// URL or the path of a SQLite file; PostgreSQL has a store of its own"
    )


def dialect_of(dialect: Dialect) -> SqlDialect:
    """By what SQLAlchemy speaks. Raises ConfigurationError."""
    return dialect_named(dialect.name)


def own_dialect(dialect: Dialect) -> SqlDialect | None:
    """The same; None for PostgreSQL, whose adapter says what is its own. Raises ConfigurationError."""
    return None if dialect.name == "postgresql" else dialect_of(dialect)


def origin_kind(origin: BaseException) -> type[ProjectionError] | None:
    """What an error of a driver's means; None where it is of none of these databases."""
    kinds = (dialect_named(name).kind(origin) for name in ("sqlite", "mariadb", "mssql"))
    return next((kind for kind in kinds if kind is not None), None)


def making_tables(engine: Engine) -> AbstractContextManager[None]:
    """Around a transaction that makes or drops tables: as the database needs it."""
    says = own_dialect(engine.dialect)
    return nullcontext() if says is None else says.making_tables(engine)


def commits_ddl(connection: Connection) -> bool:
    """Whether a statement that makes or drops a table or a view commits what is open, and itself."""
    says = own_dialect(connection.dialect)
    return says is not None and says.commits_ddl
