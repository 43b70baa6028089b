"""Projections in SQL databases."""

from shardlog.adapters.sql.decimals import teach_decimals
from shardlog.adapters.sql.store import SqlProjectionStore

__all__ = ["SqlProjectionStore", "teach_decimals"]
