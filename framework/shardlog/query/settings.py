"""The settings of the query API: where it listens, as whom it reads, and how much one question may cost."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.ranges import Secret, check_ranges, field_types, is_secret

Milliseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]
Rows: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]


class QuerySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where projections are served to be read."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    """The address to listen at."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8430
    """The port to listen at; 0 takes a free one."""
    allow_remote: bool = False
    """Whether other hosts may connect; there is no authentication."""
    user: str = ""
    """The role that reads, on PostgreSQL; it must have no right to write."""
    password: Secret = ""
    """The role's password; best given in the environment, or in a file."""
    password_file: str = ""
    """The file that holds the password; a relative one begins where shardlog.toml is."""
    directory: Annotated[str, msgspec.Meta(min_length=1)] = "projections/queries"
    """Holds the named queries, NAME.sql each; a relative one begins where shardlog.toml is."""
    statement_timeout_ms: Milliseconds = 5_000
    """How long one statement may take; then it is broken off."""
    page_rows: Rows = 100
    """Rows of an answer, where none are asked for."""
    rows_max: Rows = 10_000
    """Rows of one answer in JSON, and of a named query's in any format."""
    export_rows_max: Rows = 1_000_000
    """Rows of one answer in CSV, NDJSON or Arrow, which are sent as they are read."""
    export_deadline_ms: Milliseconds = 600_000
    """How long such an answer may take to be fetched; then the connection is closed."""
    wait_ms_max: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 30_000
    """How long a request may wait for a projection to have what its tokens say."""
    queries_max: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 8
    """Questions to the database at once; others wait a second, and are then answered 503."""
    connections_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    """Connections of clients at once; others are answered 503 and closed."""
    head_bytes_max: Annotated[int, msgspec.Meta(ge=1_024, le=1_048_576)] = 32_768
    """Bytes of a request's line and headers."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        check_ranges(self, "query")
        if self.password and self.password_file:
            raise ConfigurationError("query settings password and password_file are both set: keep one")
        if self.page_rows > self.rows_max:
            raise ConfigurationError(
                f"query setting page_rows is {self.page_rows}, and must not be above rows_max, {self.rows_max}"
            )

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of each, secrets hidden."""
        values = ((name, hint, getattr(self, name)) for name, hint in field_types(type(self)).items())
        return [(name, "***" if is_secret(hint) and value else value) for name, hint, value in values]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"
