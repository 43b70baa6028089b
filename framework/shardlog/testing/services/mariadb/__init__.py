"""MariaDB for tests."""

from shardlog.testing.services.mariadb.options import MariadbOptions
from shardlog.testing.services.mariadb.server import MariadbServer

__all__ = ["MariadbOptions", "MariadbServer"]
