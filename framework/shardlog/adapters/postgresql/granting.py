"""The rights of a role that reads projections: the tables there are, those to come, and nothing else."""

from __future__ import annotations

from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from shardlog.adapters.postgresql.connecting import connect
from shardlog.adapters.postgresql.faults import opening, psycopg_mapped
from shardlog.adapters.sql.tables import DEAD_LETTERS
from shardlog.errors import ConfigurationError

_GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
    "REVOKE ALL ON {schema}.{letters} FROM {role}",
)
"""Dead letters hold whole events and tracebacks: they are for operators. Tables to come are those of this user."""


def grant_reads(url: str, *, schema: str, role: str) -> None:
    """Let a role read all projections, new builds too. url: with the user who keeps them, who owns the tables.

    Raises ConfigurationError where there is no such role, StoreUnavailable and StoreFailed.
    """
    target = make_url(url)
    with (
        psycopg_mapped(f"granting {role!r} to read schema {schema!r} of {target!r}"),
        opening(target),
        connect(target) as connection,
    ):
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            raise ConfigurationError(
                f"there is no role {role!r} in {target!r}: make it first, `CREATE ROLE {role} LOGIN PASSWORD ...`"
            )
        names = {
            "schema": Identifier(schema),
            "role": Identifier(role),
            "letters": Identifier(DEAD_LETTERS.name),
        }
        for statement in _GRANTS:
            connection.execute(SQL(statement).format(**names))
