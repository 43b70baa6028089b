"""The PostgreSQL that tests and demonstrations use: an address in the environment, a container, or a local process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from shardlog.testing.services.found_database import found_database
from shardlog.testing.services.postgresql.programs import MAJOR
from shardlog.testing.services.postgresql.server import PostgresqlServer

ADDRESS_VARIABLE = "SHARDLOG_POSTGRESQL"
"""postgresql://user:password@host:port/database of a server that runs, whose user may create schemas and roles."""
IMAGE = f"postgres:{MAJOR}"


def found_postgresql(environment: Mapping[str, str] | None = None) -> AbstractContextManager[str]:
    """A server's address with user and password, for as long as the context lasts.

    SHARDLOG_POSTGRESQL, else a container where Docker answers, else a local process. Raises ServiceMissing where there
    is none of them; the message says what to install.
    """
    return found_database(ADDRESS_VARIABLE, PostgresqlServer, _container, environment)


@contextmanager
def _container() -> Iterator[str]:
    """A server in a container. Not run where no Docker answers."""
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(IMAGE, driver=None) as container:
        yield container.get_connection_url()
