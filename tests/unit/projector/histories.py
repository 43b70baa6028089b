"""Histories of the bank for projectors to read, and the rows that come of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from shardlog import Changes, Key, Recorded, Row, put
from shardlog.projector.runner import Projector
from tests.unit.projector.bank import (
    Closed,
    Deposited,
    Noted,
    Opened,
)
from tests.unit.projector.log import LogWriter

SHARDS = 4
Make = Callable[..., Projector]
Rows = Callable[[str], list[tuple[object, ...]]]


def rows(database: Path, table: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
    finally:
        connection.close()


def some_history(log: LogWriter) -> None:
    """Twenty ledgers over all shards."""
    for ledger in range(20):
        id = f"l{ledger}:a"
        log.happened((id, Opened(owner=f"owner {ledger}")))
        log.happened(*[(id, Deposited(amount=amount)) for amount in range(1, ledger + 1)])
        log.happened((id, Noted(text="unheard")))
        if ledger % 5 == 0:
            log.happened((id, Closed()))


class Opening(Row, name="openings"):
    account: Key[str]
    owner: str


class Last(Row, name="lasts"):
    kind: Key[str]


def put_opened(event: Opened, recorded: Recorded) -> Changes:
    return put(Opening(account=recorded.id, owner=event.owner))
