"""Faults on three real brokers, each in its short form; the long ones: `make faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.missing import or_skip
from tests.services.kafka_faults.all_faults import FAULTS
from tests.services.kafka_faults.ground import Brokers, brokers_behind_a_proxy

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]  # the time-out: on a machine that is busy
THREE = sorted(name for name, form in FAULTS.items() if form.brokers == 3)


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    context = brokers_behind_a_proxy(3)
    with or_skip():
        found = context.__enter__()
    try:
        yield found
    finally:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("name", THREE)
def test_no_promise_is_broken_by(name: str, brokers: Brokers, tmp_path: Path) -> None:
    form = FAULTS[name]
    counts = form.run(brokers, tmp_path, Random(name), form.short)
    assert counts.answers
    assert counts.replies
