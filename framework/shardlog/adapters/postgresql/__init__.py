"""Projections in PostgreSQL, written by psycopg, and the leases of those who write them."""

from shardlog.adapters.postgresql.leases import PostgresqlLeases
from shardlog.adapters.postgresql.store import PostgresqlProjectionStore

__all__ = ["PostgresqlLeases", "PostgresqlProjectionStore"]
