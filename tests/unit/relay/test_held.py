"""What is held while one thread reads on and others ask."""

from __future__ import annotations

from threading import Lock
from types import TracebackType

from shardlog.relay.core import UnderWay
from shardlog.relay.held import Held


class TakenMeanwhile:
    """A lock that is had only after another thread has had it: all that was held is received meanwhile."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._lock = Lock()

    def __enter__(self) -> None:
        if self._lock.acquire(blocking=False):
            self._held.drop(1, {0: (9, 9, 9)})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock.locked():
            self._lock.release()


def held_of(*ats: int) -> Held:
    held = Held(3)
    held.put(0, [UnderWay(1, (1, at, 0), b"%d" % at) for at in ats])
    return held


def test_what_is_received_while_a_target_asks_is_not_there_any_more() -> None:
    held = held_of(1, 2)
    held._lock = TakenMeanwhile(held)  # type: ignore[assignment]  # as far as it is used
    assert held.waiting(1, {}, 10) == []


def test_a_target_gets_as_many_as_it_asks_for_from_behind_what_it_has() -> None:
    held = held_of(1, 2, 3, 4)
    assert held.waiting(1, {0: (1, 1, 0)}, 2) == [b"2", b"3"]
    assert held.waiting(1, {0: (1, 9, 0)}, 2) == []
    assert held.waiting(2, {}, 2) == ()


def test_what_was_received_is_let_go_and_its_room_is_free() -> None:
    held = held_of(1, 2, 3)
    held.drop(1, {0: (1, 2, 5), 2: (7, 7, 7)})
    assert held.waiting(1, {}, 10) == [b"3"]
    assert (held.sends, held.size(0)) == (1, (1, 1))
    held.drop(1, {})
    assert held.sends == 1
