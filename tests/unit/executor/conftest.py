"""What tests of executors begin with: a domain in order, a shard that serves, snapshots kept in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.executor.ledger import Faulty
from tests.unit.executor.served import Served
from tests.unit.executor.snapshots import Kept


@pytest.fixture(autouse=True)
def domain_in_order() -> Iterator[None]:
    before = {name: getattr(Faulty, name) for name in Faulty.__annotations__}
    yield
    for name, value in before.items():
        setattr(Faulty, name, value)


@pytest.fixture
def served() -> Served:
    return Served().serve()


@pytest.fixture
def kept() -> Kept:
    return Kept()
