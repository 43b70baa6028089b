"""What psycopg raises, as what it means for a projection; the SQLSTATEs are judged where the other databases' are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from shardlog.adapters.sql.faults import as_kind, by_sqlstate, one_line
from shardlog.errors import ConfigurationError, ProjectionError, RowsRefused, StoreFailed, StoreUnavailable, sentence

_LATER = (psycopg.OperationalError, psycopg.InternalError)
_ROWS = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError)
_REFUSALS = re.compile(
    r'database ".*" does not exist|role ".*" does not exist|(password|peer|ident|GSSAPI|LDAP|PAM|certificate) '
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied for database"
)
"""What a server says to a connection that it refuses. libpq has no SQLSTATE for it; in another language than English
it is taken for a server that is away, and its words are shown."""


@contextmanager
def opening(database: object) -> Iterator[None]:
    """As `psycopg_mapped`, around a first connection: who it refuses has wrong settings. Raises ConfigurationError.

    In a process that has been let in before, the same may pass: a password is changed, rights are given again.
    """
    with psycopg_mapped(f"opening {database!r}"):
        try:
            yield
        except psycopg.OperationalError as error:
            if error.sqlstate is None and _REFUSALS.search(str(error)):
                raise ConfigurationError(
                    f"opening {database!r}: the server refuses: {sentence(one_line(error))} Nothing was written: "
                    "correct database or password of [projections], or make there what is missing"
                ) from error
            raise


@contextmanager
def psycopg_mapped(doing: str) -> Iterator[None]:
    """Whatever psycopg raises inside comes out as a ProjectionError that says what was being done."""
    try:
        yield
    except psycopg.Error as error:
        raise fault(error, doing) from error


def fault(error: psycopg.Error, doing: str) -> ProjectionError:
    """The error that a store raises for one of psycopg's, in the server's words without its statement's parameters."""
    said = f"{type(error).__name__}: {one_line(error.diag.message_primary or error)}"
    return as_kind(_kind(error), doing, said)


def _kind(error: psycopg.Error) -> type[ProjectionError]:
    if error.sqlstate is not None:
        return by_sqlstate(error.sqlstate)
    if isinstance(error, _LATER):
        return StoreUnavailable
    return RowsRefused if isinstance(error, _ROWS) else StoreFailed
