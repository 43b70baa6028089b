"""Every error of PyMySQL comes out as one of ours, and its number says who must act."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
from pymysql import err
from sqlalchemy import exc

from shardlog.adapters.sql.dialects.mariadb_faults import kind
from shardlog.adapters.sql.faults import fault
from shardlog.errors import ProjectionError, RowsRefused, StoreFailed, StoreUnavailable


def subclasses(cls: type[pymysql.Error]) -> Iterator[type[pymysql.Error]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


@pytest.mark.parametrize("cls", sorted(set(subclasses(err.Error)), key=str))
@pytest.mark.parametrize("arguments", [(), ("said",), (1213, "said"), (65_000, "said")])
def test_no_error_of_the_driver_comes_out_unmapped(cls: type[pymysql.Error], arguments: tuple[object, ...]) -> None:
    wrapped = exc.DBAPIError("statement", {}, cls(*arguments))
    assert isinstance(fault(wrapped, "writing"), RowsRefused | StoreFailed | StoreUnavailable)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (err.OperationalError(1213, "deadlock"), StoreUnavailable),
        (err.OperationalError(1205, "lock wait timeout"), StoreUnavailable),
        (err.OperationalError(1040, "too many connections"), StoreUnavailable),
        (err.OperationalError(2006, "server has gone away"), StoreUnavailable),
        (err.OperationalError(2013, "lost connection"), StoreUnavailable),
        (err.OperationalError(1053, "shutdown in progress"), StoreUnavailable),
        (err.OperationalError(1030, "error 28 from storage engine"), StoreUnavailable),
        (err.OperationalError(1114, "the table is full"), StoreUnavailable),
        (err.InterfaceError(0, ""), StoreUnavailable),
        (err.OperationalError(1045, "access denied"), StoreFailed),
        (err.OperationalError(1290, "--read-only"), StoreFailed),
        (err.OperationalError(1665, "binlog_format"), StoreFailed),
        (err.ProgrammingError(1064, "syntax"), StoreFailed),
        (err.OperationalError(65_000, "what nobody knows"), StoreFailed),
        (err.DataError(1264, "out of range"), RowsRefused),
        (err.DataError(1406, "too long"), RowsRefused),
        (err.IntegrityError(1048, "cannot be null"), RowsRefused),
        (err.ProgrammingError(1146, "no such table"), RowsRefused),
    ],
)
def test_the_number_says_who_must_act(error: pymysql.Error, expected: type[ProjectionError]) -> None:
    assert kind(error) is expected
    assert type(fault(exc.DBAPIError("statement", ("a secret",), error), "writing")) is expected
    assert "secret" not in str(fault(exc.DBAPIError("statement", ("a secret",), error), "writing"))
