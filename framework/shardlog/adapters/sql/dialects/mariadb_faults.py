"""What MariaDB's error numbers mean for a projection."""

from __future__ import annotations

import pymysql
from pymysql.constants import CR, ER

from shardlog.errors import ProjectionError, RowsRefused, StoreFailed, StoreUnavailable

_LATER = frozenset(
    {
        *(ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.LOCK_TABLE_FULL, ER.CHECKREAD, ER.TABLE_DEF_CHANGED),
        *(ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.USER_LIMIT_REACHED, 1637),
        *(
            ER.SERVER_SHUTDOWN,
            ER.QUERY_INTERRUPTED,
            ER.NORMAL_SHUTDOWN,
            ER.ABORTING_CONNECTION,
            ER.NEW_ABORTING_CONNECTION,
        ),
        *(ER.NET_READ_ERROR, ER.NET_READ_INTERRUPTED, ER.NET_ERROR_ON_WRITE, ER.NET_WRITE_INTERRUPTED),
        *(ER.DISK_FULL, ER.RECORD_FILE_FULL, ER.OUTOFMEMORY, ER.OUT_OF_SORTMEMORY, ER.OUT_OF_RESOURCES),
        *(ER.ERROR_DURING_COMMIT, ER.GET_ERRNO, ER.HANDSHAKE_ERROR, ER.TABLE_EXISTS_ERROR),
        1927,  # connection was killed
        1969,  # max_statement_time exceeded
        *(CR.CR_CONNECTION_ERROR, CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST),
        *(CR.CR_SERVER_LOST_EXTENDED, CR.CR_COMMANDS_OUT_OF_SYNC, CR.CR_UNKNOWN_HOST, CR.CR_SERVER_HANDSHAKE_ERR),
    }
)
"""Trying again may help: locks, connections, shutting down, disk and memory. A table that is there already is one that
another process has just made. 1030 (an error of the storage engine) tells a full disk, among others."""
_ROWS = frozenset(
    {
        *(ER.BAD_NULL_ERROR, ER.NO_DEFAULT_FOR_FIELD, ER.DUP_ENTRY, ER.DATA_TOO_LONG, ER.WARN_DATA_TRUNCATED),
        *(ER.WARN_DATA_OUT_OF_RANGE, ER.TRUNCATED_WRONG_VALUE, ER.TRUNCATED_WRONG_VALUE_FOR_FIELD),
        *(ER.ILLEGAL_VALUE_FOR_TYPE, ER.DATETIME_FUNCTION_OVERFLOW, ER.WARN_ALLOWED_PACKET_OVERFLOWED),
        *(ER.NET_PACKET_TOO_LARGE, ER.TOO_BIG_ROWSIZE, ER.CONSTRAINT_FAILED, ER.NO_REFERENCED_ROW_2),
        *(ER.ROW_IS_REFERENCED_2, ER.BAD_FIELD_ERROR, ER.NO_SUCH_TABLE, ER.WRONG_VALUE_COUNT_ON_ROW),
        *(ER.TRUNCATED_WRONG_VALUE_FOR_FIELD, ER.CANT_AGGREGATE_2COLLATIONS),
        1690,  # a sum is out of its type's range
        1644,  # SIGNAL: a trigger, which somebody else has made, refuses the row
        4025,  # a CHECK constraint, which somebody else has made
    }
)
"""The row, or a table that is not as its row class says."""
_OF_THE_DRIVER = (pymysql.DataError, pymysql.IntegrityError, pymysql.NotSupportedError)


def kind(error: pymysql.Error) -> type[ProjectionError]:
    """Who must act. A number that is not known is StoreFailed: neither trying again nor another row helps for sure."""
    number = error.args[0] if error.args else None
    if not isinstance(number, int):
        return RowsRefused if isinstance(error, (*_OF_THE_DRIVER, pymysql.ProgrammingError)) else StoreFailed
    if number in _LATER or (number == 0 and isinstance(error, pymysql.InterfaceError)):  # the connection is closed
        return StoreUnavailable
    return RowsRefused if number in _ROWS or isinstance(error, _OF_THE_DRIVER) else StoreFailed
