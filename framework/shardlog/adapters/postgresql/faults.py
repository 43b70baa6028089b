"""What psycopg raises, as what it means for a projection; the SQLSTATEs are judged where the other databases' are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from shardlog.adapters.sql.faults import as_kind, by_sqlstate
from shardlog.errors import ProjectionError, RowsRefused, StoreFailed, StoreUnavailable

_LATER = (psycopg.OperationalError, psycopg.InternalError)
_ROWS = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError)


@contextmanager
def psycopg_mapped(doing: str) -> Iterator[None]:
    """Whatever psycopg raises inside comes out as a ProjectionError that says what was being done."""
    try:
        yield
    except psycopg.Error as error:
        raise fault(error, doing) from error


def fault(error: psycopg.Error, doing: str) -> ProjectionError:
    """The error that a store raises for one of psycopg's, in the server's words without its statement's parameters."""
    said = f"{type(error).__name__}: {error.diag.message_primary or error}"
    return as_kind(_kind(error), doing, said)


def _kind(error: psycopg.Error) -> type[ProjectionError]:
    if error.sqlstate is not None:
        return by_sqlstate(error.sqlstate)
    if isinstance(error, _LATER):
        return StoreUnavailable
    return RowsRefused if isinstance(error, _ROWS) else StoreFailed
