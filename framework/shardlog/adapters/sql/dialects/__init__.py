"""What each database says in its own way, one file a database. All else of `adapters/sql` is the same for all."""

from shardlog.adapters.sql.dialects.choosing import dialect_named, dialect_of
from shardlog.adapters.sql.dialects.dialect import WRITES, Compiled, SqlDialect

__all__ = ["WRITES", "Compiled", "SqlDialect", "dialect_named", "dialect_of"]
