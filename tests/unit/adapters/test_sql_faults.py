"""Every error of SQLAlchemy and of SQLite's driver comes out as one of ours, and says who must act."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import exc

from shardlog.adapters.sql.faults import fault, mapped
from shardlog.errors import CheckpointMoved, ProjectionError, RowsRefused, StoreFailed, StoreUnavailable


def subclasses(cls: type[Exception]) -> Iterator[type[Exception]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


def bare(cls: type[Exception]) -> Exception:
    """An instance, without what its constructor would like to know."""
    error = cls.__new__(cls)
    Exception.__init__(error, "said")
    for name, value in {"orig": None, "connection_invalidated": False, "message": "said", "detail": []}.items():
        if isinstance(error, exc.SQLAlchemyError) and not hasattr(error, name):
            setattr(error, name, value)
    return error


class FromPostgres(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize("cls", sorted({*subclasses(exc.SQLAlchemyError), *subclasses(sqlite3.Error)}, key=str))
def test_no_error_of_the_library_or_the_driver_comes_out_unmapped(cls: type[Exception]) -> None:
    with pytest.raises(ProjectionError), mapped("writing"):
        raise bare(cls)


@pytest.mark.parametrize("cls", [OverflowError, ValueError, TypeError, AttributeError, UnicodeEncodeError])
def test_an_error_of_binding_a_value_is_the_rows(cls: type[Exception]) -> None:
    error = cls("utf-8", "\ud800", 0, 1, "surrogates") if cls is UnicodeEncodeError else cls("said")
    assert type(fault(error, "writing")) is RowsRefused


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", StoreUnavailable),
        ("40001", StoreUnavailable),
        ("40P01", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("55P03", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("28P01", StoreFailed),
        ("3D000", StoreFailed),
        ("42501", StoreFailed),
        ("22003", RowsRefused),
        ("23502", RowsRefused),
        ("42703", RowsRefused),
    ],
)
def test_postgresql_says_by_sqlstate_who_must_act(state: str, expected: type[ProjectionError]) -> None:
    error = exc.DBAPIError("statement", {}, FromPostgres(state))
    assert type(fault(error, "writing")) is expected


def test_a_lost_connection_is_unavailable_whatever_the_error_says() -> None:
    error = exc.OperationalError("statement", {}, FromPostgres("23502"), connection_invalidated=True)
    assert type(fault(error, "writing")) is StoreUnavailable


def test_an_error_of_ours_passes_unchanged() -> None:
    with pytest.raises(CheckpointMoved, match="as it was"), mapped("writing"):
        raise CheckpointMoved("as it was")


def test_a_message_does_not_repeat_the_parameters() -> None:
    error = exc.IntegrityError("INSERT", ("a secret",), sqlite3.IntegrityError("NOT NULL constraint failed: t.n"))
    assert "secret" not in str(fault(error, "writing table 't'"))
    assert "writing table 't': IntegrityError: NOT NULL constraint failed: t.n" in str(
        fault(error, "writing table 't'")
    )
