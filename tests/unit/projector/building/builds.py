"""Two versions of the balances, and what is told of their builds."""

from __future__ import annotations

from collections.abc import Callable

from shardlog import Application, Changes, Domain, Key, Projection, Recorded, Row, put
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.projector.runner import Projector
from tests.unit.projector.bank import Broken, Opened, account

SHARDS = 4
Make = Callable[..., Projector]


class Owner(Row, name="balances"):
    """Version 2 of the balances: other columns, and no table of totals."""

    account: Key[str]
    owner: str


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def owners(broken: Broken) -> Application:
    projection = Projection("balances", rows=[Owner], version=2)

    @projection.on
    def opened(event: Opened, recorded: Recorded) -> Changes:
        if event.owner in broken.strange_for.values():
            raise ValueError(f"an owner named {event.owner}")
        return put(Owner(account=recorded.id, owner=event.owner))

    return Application([Domain("bank", aggregates=[account])], [projection])


def states(store: SqlProjectionStore) -> dict[str, str]:
    return {record.key.label: record.state for record in store.builds.records()}
