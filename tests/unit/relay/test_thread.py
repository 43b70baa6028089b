"""The thread of a relay: what it stores when it ends, and what it does not."""

from __future__ import annotations

from threading import Event

import pytest

from shardlog.relay.limits import RelayLimits
from shardlog.wiring.relaying import RelayThread
from tests.unit.relay.sent import Sent, accepted, send

STOPS_ONLY = RelayLimits(checkpoint_ms=1_000)
"""By a clock that stands still, checkpoints are stored at the end alone."""


def test_a_thread_that_is_stopped_stores_how_far_it_came() -> None:
    sent = Sent(limits=STOPS_ONLY)
    sent.frame(0, accepted(send(1)))
    arrived = Event()
    thread = RelayThread(sent.relay, arrived.set)
    thread.start()
    assert arrived.wait(10)
    thread.stop()
    assert sent.stored() == {0: 1, 1: 1, 2: 1}


def test_a_thread_that_ended_by_an_unforeseen_error_stores_nothing_more() -> None:
    def fails() -> None:
        raise RuntimeError("nobody thought of this")

    sent = Sent(limits=STOPS_ONLY)
    sent.frame(0, accepted(send(1)))
    thread = RelayThread(sent.relay, fails)
    thread.start()
    thread._thread.join(10)
    thread.stop()
    assert sent.stored() == {}
    with pytest.raises(RuntimeError, match="nobody thought"):
        thread.raise_error()
