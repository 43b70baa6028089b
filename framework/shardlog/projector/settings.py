"""Where the tables of projections are kept, and who writes them there."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.ranges import Secret, check_ranges, field_types, is_secret

MARIADB_SCHEMES = ("mariadb", "mysql", "mariadb+pymysql", "mysql+pymysql")
SCHEMES = ("postgresql", *MARIADB_SCHEMES)
"""What a database's URL may begin with."""


class ProjectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The database of the projections' tables."""

    database: str = ""
    """`postgresql://user@host:port/database`, or `mariadb://...`; no password; empty: a file beside the journal."""
    schema: Annotated[str, msgspec.Meta(min_length=1, max_length=63)] = "shardlog"
    """The schema of the tables in PostgreSQL, made where it is missing; one for each application."""
    password: Secret = ""
    """The password of the database's user; best given in the environment, or in a file."""
    password_file: str = ""
    """The file that holds the password; a relative one begins where shardlog.toml is."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for one out of its range, and for a URL that no store takes."""
        check_ranges(self, "projections")
        if self.password and self.password_file:
            raise ConfigurationError("projections settings password and password_file are both set: keep one")
        if self.database:
            _check_url(self.database)

    @property
    def is_shared(self) -> bool:
        """Whether the tables are in a database server, which several processes reach."""
        return bool(self.database)

    @property
    def is_mariadb(self) -> bool:
        """Whether that server is MariaDB."""
        return self.database.partition("://")[0] in MARIADB_SCHEMES

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of each, secrets hidden."""
        values = ((name, hint, getattr(self, name)) for name, hint in field_types(type(self)).items())
        return [(name, "***" if is_secret(hint) and value else value) for name, hint, value in values]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def _check_url(url: str) -> None:
    """Its text is not shown before it is known to hold no password."""
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None or "password" in parse_qs(parts.query)
        scheme, name = parts.scheme, parts.path.strip("/")
    except ValueError as error:
        raise ConfigurationError(f"projections setting database is no URL: {error}") from error
    if has_password:
        raise ConfigurationError(
            "projections setting database has a password in it, and URLs are shown: leave it out, and set "
            "SHARDLOG_PROJECTIONS_PASSWORD or password_file"
        )
    if scheme not in SCHEMES or not name:
        raise ConfigurationError(
            f"projections setting database is {url!r}, and must be 'postgresql://user@host:port/database', "
            "'mariadb://user@host:port/database', or empty: then the tables are in a SQLite file"
        )
