"""Faults on one real broker, each in its short form; the long ones: `make faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, journal_topic
from shardlog.errors import JournalUnavailable
from shardlog.testing.contracts.journal import Reports, append
from shardlog.testing.faults import PRODUCE, Fault, Kind
from tests.missing import or_skip
from tests.services.kafka_faults.all_faults import FAULTS
from tests.services.kafka_faults.ground import Brokers, brokers_behind_a_proxy
from tests.services.kafka_faults.load import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]  # the time-out: on a machine that is busy
ONE = sorted(name for name, form in FAULTS.items() if form.brokers == 1)


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    context = brokers_behind_a_proxy(1)
    with or_skip():
        found = context.__enter__()
    try:
        yield found
    finally:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("name", ONE)
def test_no_promise_is_broken_by(name: str, brokers: Brokers, tmp_path: Path) -> None:
    form = FAULTS[name]
    counts = form.run(brokers, tmp_path, Random(name), form.short)
    assert counts.entries >= counts.confirmed // 2
    assert counts.replies
    assert counts.payments


def test_a_client_that_comes_by_the_proxy_stays_behind_it(brokers: Brokers, journal_name: str) -> None:
    """Brokers tell their addresses to whoever asks; here they must tell the proxy's, or nothing would be held."""
    direct = KafkaSettings(bootstrap_servers=brokers.bootstrap, journal=journal_name, request_timeout_ms=3_000)
    behind = msgspec.structs.replace(direct, bootstrap_servers=brokers.proxy.bootstrap)
    KafkaTopics(direct).create([journal_topic(direct, 1, 900_000)])
    held, other, reports = KafkaJournal(behind, 1), KafkaJournal(direct, 1), Reports()
    writer = held.writer(0)
    assert append(writer, b"before") == [0]
    with brokers.proxy.during(Fault(kind=Kind.HOLD, requests=frozenset({PRODUCE}))):
        reports.append(writer, b"held")
        brokers.proxy.wait_until_treated(1, 20)
        assert list(other.read(0, 0)) == [(0, b"before"), (1, b"held")]
        assert reports.order() == []
    assert reports.wait(1) == [1]
    with brokers.proxy.during(Fault(kind=Kind.SILENCE)):
        with pytest.raises(JournalUnavailable):
            held._bounds(0)
        assert other._bounds(0) == (0, 2)
    wait_for(lambda: held.offsets(0) == (0, 2), 20, lambda: "it does not come back")
    held.close()
    other.close()
