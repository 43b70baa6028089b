"""PostgreSQL for tests, demonstrations and benchmarks."""

from shardlog.testing.services.postgresql.options import PostgresqlOptions
from shardlog.testing.services.postgresql.server import PostgresqlServer

__all__ = ["PostgresqlOptions", "PostgresqlServer"]
