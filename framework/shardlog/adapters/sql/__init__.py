"""Projections in SQL databases."""

from shardlog.adapters.sql.store import SqlProjectionStore

__all__ = ["SqlProjectionStore"]
