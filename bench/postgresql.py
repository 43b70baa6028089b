"""The PostgreSQL server that benchmarks compare with and write to: fresh, durable, with memory to spare.

fsync and synchronous_commit are on, and a transaction is on disk before its caller hears of it. No checkpoint falls
into a run of less than 15 minutes.
"""

from __future__ import annotations

from shardlog.testing.services.postgresql import PostgresqlOptions

DURABLE = PostgresqlOptions(
    is_durable=True,
    settings={
        "max_connections": "200",
        "shared_buffers": "1GB",
        "max_wal_size": "16GB",
        "checkpoint_timeout": "15min",
        "autovacuum": "off",
        "deadlock_timeout": "1s",
    },
)
