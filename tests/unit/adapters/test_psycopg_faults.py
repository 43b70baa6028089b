"""Every error of psycopg comes out as one of ours, and says who must act."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from shardlog.adapters.postgresql.faults import fault, psycopg_mapped
from shardlog.errors import CheckpointMoved, ProjectionError, RowsRefused, StoreFailed, StoreUnavailable


def subclasses(cls: type[psycopg.Error]) -> Iterator[type[psycopg.Error]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


@pytest.mark.parametrize("cls", sorted(set(subclasses(psycopg.Error)), key=str))
def test_no_error_of_psycopg_comes_out_unmapped(cls: type[psycopg.Error]) -> None:
    with pytest.raises(ProjectionError, match=r"writing: .*said"), psycopg_mapped("writing"):
        raise cls("said")


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (errors.DeadlockDetected, StoreUnavailable),
        (errors.SerializationFailure, StoreUnavailable),
        (errors.AdminShutdown, StoreUnavailable),
        (errors.CannotConnectNow, StoreUnavailable),
        (errors.DiskFull, StoreUnavailable),
        (errors.IdleInTransactionSessionTimeout, StoreUnavailable),
        (errors.LockNotAvailable, StoreUnavailable),
        (errors.ConnectionTimeout, StoreUnavailable),
        (psycopg.OperationalError, StoreUnavailable),
        (errors.InsufficientPrivilege, StoreFailed),
        (errors.InvalidPassword, StoreFailed),
        (errors.ReadOnlySqlTransaction, StoreFailed),
        (psycopg.InterfaceError, StoreFailed),
        (errors.NumericValueOutOfRange, RowsRefused),
        (errors.NotNullViolation, RowsRefused),
        (errors.CardinalityViolation, RowsRefused),
        (psycopg.DataError, RowsRefused),
    ],
)
def test_an_error_says_who_must_act(cls: type[psycopg.Error], expected: type[ProjectionError]) -> None:
    assert type(fault(cls("said"), "writing")) is expected


def test_an_error_of_ours_passes_unchanged() -> None:
    with pytest.raises(CheckpointMoved, match="as it was"), psycopg_mapped("writing"):
        raise CheckpointMoved("as it was")
