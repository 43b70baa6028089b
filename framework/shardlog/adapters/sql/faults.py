"""What databases and their drivers raise, as what it means for a projection. The only place where it is judged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from shardlog.adapters.sql.dialects.choosing import origin_kind
from shardlog.errors import ProjectionError, RowsRefused, StoreFailed, StoreUnavailable, sentence

_SQLSTATE_LATER = ("08", "25P03", "40", "53", "55P03", "57", "58")
"""SQLSTATE classes (PostgreSQL, appendix A): connection, idle too long, rollback, resources, lock, operator, system."""
_SQLSTATE_NEVER = ("28", "3D", "42501", "F0", "XX", "25006")


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """Whatever the database raises inside comes out as a ProjectionError that says what was being done."""
    try:
        yield
    except ProjectionError:
        raise
    except (exc.SQLAlchemyError, sqlite3.Error, OverflowError, ValueError, TypeError, AttributeError) as error:
        raise fault(error, doing) from error


def fault(error: Exception, doing: str) -> ProjectionError:
    """The error that a store raises for one of the database's."""
    said = _said(error)
    if not isinstance(error, exc.SQLAlchemyError | sqlite3.Error):
        return RowsRefused(f"{doing}: a value does not fit: {said}")
    return as_kind(_kind(error), doing, said)


def as_kind(kind: type[ProjectionError], doing: str, said: str) -> ProjectionError:
    """An error of this kind, with what is to be done about it. said: by the database."""
    if kind is StoreUnavailable:
        return StoreUnavailable(f"{doing}: {sentence(said)} Nothing was written; the same may work later.")
    if kind is StoreFailed:
        return StoreFailed(
            f"{doing}: {sentence(said)} Nothing was written. Look at the database: trying again does not help."
        )
    return RowsRefused(f"{doing}: {said}")


def one_line(said: object) -> str:
    """A driver's words without their line breaks: a line of a log is one error."""
    return " ".join(str(said).split())


def _kind(error: exc.SQLAlchemyError | sqlite3.Error) -> type[ProjectionError]:
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return StoreUnavailable
    known = origin_kind(origin) if origin is not None else None
    if known is not None:
        return known
    state = getattr(origin, "sqlstate", None)
    if isinstance(state, str):
        return by_sqlstate(state)
    if isinstance(error, exc.TimeoutError | exc.DisconnectionError):
        return StoreUnavailable
    if isinstance(error, exc.StatementError):
        refused = exc.IntegrityError | exc.DataError | exc.ProgrammingError | exc.InterfaceError | exc.NotSupportedError
        plain = not isinstance(error, exc.DBAPIError)
        return RowsRefused if plain or isinstance(error, refused) else StoreUnavailable
    return StoreFailed


def by_sqlstate(state: str) -> type[ProjectionError]:
    """Who must act, by the code of the SQL standard and of PostgreSQL."""
    if state.startswith(_SQLSTATE_LATER):
        return StoreUnavailable
    return StoreFailed if state.startswith(_SQLSTATE_NEVER) else RowsRefused


def _said(error: Exception) -> str:
    """The driver's own words, without the statement and its parameters, which may hold what nobody should read."""
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    return f"{type(origin).__name__}: {one_line(origin)}" if not isinstance(origin, ProjectionError) else str(origin)
