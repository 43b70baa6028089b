"""The PostgreSQL that tests and demonstrations use: an address in the environment, a container, or a local process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shardlog.errors import ConfigurationError
from shardlog.testing.services.kafka.found import docker_answers
from shardlog.testing.services.postgresql.programs import MAJOR
from shardlog.testing.services.postgresql.server import PostgresqlServer

ADDRESS_VARIABLE = "SHARDLOG_POSTGRESQL"
"""postgresql://user:password@host:port/database of a server that runs, whose user may create schemas and roles."""
IMAGE = f"postgres:{MAJOR}"


@contextmanager
def found_postgresql(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """A server's address with user and password, for as long as the context lasts.

    SHARDLOG_POSTGRESQL, else a container where Docker answers, else a local process. Raises ServiceMissing where there
    is none of them; the message says what to install.
    """
    environment = os.environ if environment is None else environment
    if address := environment.get(ADDRESS_VARIABLE):
        if not address.startswith("postgresql://"):  # not shown: it may hold a password
            raise ConfigurationError(
                f"environment {ADDRESS_VARIABLE} must be postgresql://user:password@host:port/database"
            )
        yield address
    elif docker_answers():
        with _container() as address:
            yield address
    else:
        with PostgresqlServer() as server:
            yield server.url


@contextmanager
def _container() -> Iterator[str]:
    """A server in a container. Not run where no Docker answers."""
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(IMAGE, driver=None) as container:
        yield container.get_connection_url()
