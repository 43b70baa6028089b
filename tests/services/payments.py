"""What is true of payments between ledgers, whatever was killed on their way."""

from __future__ import annotations

from collections import Counter
from typing import Any

from domain.banking.account import Account
from shardlog.journal.records import Accepted
from tests.services.processes import Left


def accounts_in(left: list[Left]) -> dict[str, Account]:
    return {
        id: slot.state
        for shard in left
        for bucket in shard.state.registry.categories["account"].buckets
        for id, slot in bucket.items()
    }


def events_in(left: list[Left], name: str) -> list[Any]:
    return [
        event.data
        for shard in left
        for _, entry in shard.entries
        if isinstance(entry, Accepted)
        for event in entry.events
        if type(event.data).__name__ == name
    ]


def check_money(left: list[Left], funds: int) -> None:
    """Nothing is under way any more, nothing was lost, and each payment ended once, as received or as returned."""
    accounts = accounts_in(left)
    assert [id for id, state in accounts.items() if state.reserved] == []
    assert sum(state.balance for state in accounts.values()) == funds
    started = Counter(event.payment for event in events_in(left, "PaymentStarted"))
    received, settled, returned = (
        Counter(event.payment for event in events_in(left, name))
        for name in ("PaymentReceived", "PaymentSettled", "PaymentReturned")
    )
    assert received == settled
    assert set(started.values()) == {1}
    assert received + returned == started
