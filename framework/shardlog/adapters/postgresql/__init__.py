"""Projections in PostgreSQL, written by psycopg."""

from shardlog.adapters.postgresql.store import PostgresqlProjectionStore

__all__ = ["PostgresqlProjectionStore"]
