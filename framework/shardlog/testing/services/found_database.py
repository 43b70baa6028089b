"""Where a database server of tests is found: an address in the environment, a container, or a local process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from shardlog.errors import ConfigurationError
from shardlog.testing.services.database import DatabaseServer
from shardlog.testing.services.kafka.found import docker_answers


@contextmanager
def found_database(
    variable: str,
    server: type[DatabaseServer],
    container: Callable[[], AbstractContextManager[str]],
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A server's address with user and password, for as long as the context lasts.

    The variable's, else a container's where Docker answers, else that of a local process. Raises ServiceMissing where
    there is none of them, and ConfigurationError for a variable that is no address.
    """
    environment = os.environ if environment is None else environment
    if address := environment.get(variable):
        if not address.startswith(f"{server.scheme}://"):  # not shown: it may hold a password
            raise ConfigurationError(
                f"environment {variable} must be {server.scheme}://user:password@host:port/database"
            )
        yield address
    elif docker_answers():
        with container() as address:
            yield address
    else:
        with server() as local:
            yield local.url
