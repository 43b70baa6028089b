"""The MariaDB that tests use: an address in the environment, a container, or a local process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from shardlog.testing.services.found_database import found_database
from shardlog.testing.services.mariadb.server import MariadbServer

ADDRESS_VARIABLE = "SHARDLOG_MARIADB"
"""mariadb://user:password@host:port/database of a server that runs, whose user may create databases and see all
connections (PROCESS, CONNECTION ADMIN)."""
IMAGE = "mariadb:10.11"


def found_mariadb(environment: Mapping[str, str] | None = None) -> AbstractContextManager[str]:
    """A server's address with user and password, for as long as the context lasts.

    SHARDLOG_MARIADB, else a container where Docker answers, else a local process. Raises ServiceMissing where there
    is none of them; the message says what to install.
    """
    return found_database(ADDRESS_VARIABLE, MariadbServer, _container, environment)


@contextmanager
def _container() -> Iterator[str]:
    """A server in a container, as its superuser. Not run where no Docker answers."""
    from testcontainers.community.mysql import MySqlContainer

    with MySqlContainer(IMAGE, username="root", dialect=None) as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(3306)
        yield f"mariadb://root:{container.root_password}@{host}:{port}/{container.dbname}"
