"""One served engine for the tests of a module; each test takes jars of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from shardlog.wiring.embedded import Embedded
from tests.unit.gateway.served import serving

_numbers = count()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Embedded, httpx.Client]]:
    with serving(tmp_path_factory.mktemp("pantry")) as both:
        yield both


@pytest.fixture
def client(served: tuple[Embedded, httpx.Client]) -> httpx.Client:
    return served[1]


@pytest.fixture
def jar_id() -> str:
    return f"kitchen:{next(_numbers)}"
