"""Connections to PostgreSQL: how they are opened, which schema they see, and how long they wait."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

CONNECT_SECONDS = 10
PROJECTOR = "shardlog projector"
"""The name under which the server shows connections that write rows."""
KEEPALIVE: dict[str, int] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""A server that is gone without a word is noticed within 25 seconds, not hours."""


def open_engine(url: str | URL, schema: str) -> Engine:
    """An engine whose connections see this schema first. url: postgresql://..."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        max_overflow=-1,  # each thread has one at a time; none waits for what another does with its own
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": PROJECTOR, **KEEPALIVE},
    )

    def enter(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(schema)))
        connection.commit()

    event.listen(engine, "connect", enter, insert=True)
    return engine


def make_schema(target: URL, schema: str) -> None:
    """Make the schema where it is missing."""
    plain = target.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, connect_timeout=CONNECT_SECONDS) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s), 1936220015)", (schema,))
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
        if found is None:  # asked first: IF NOT EXISTS wants the right to make one even where there is one
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))


def with_password(url: str, password: str) -> str:
    """The URL with this password, where there is one; else libpq finds it, in PGPASSWORD or in its own file."""
    target = make_url(url)
    return (target.set(password=password) if password else target).render_as_string(hide_password=False)


def connect(target: URL) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection past the pool. By parts: a user's name may have characters that libpq takes in no URL."""
    parts = target.translate_connect_args(username="user", database="dbname")
    return psycopg.connect(**{**target.query, **parts}, connect_timeout=CONNECT_SECONDS)
