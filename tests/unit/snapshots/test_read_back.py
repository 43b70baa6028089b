"""What was written is read back: by its bytes where states encode as they did, else by their digest."""

from __future__ import annotations

import threading
from itertools import permutations

import msgspec
import pytest

from shardlog import State
from shardlog.errors import SnapshotUnusable
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.store import ShardSnapshots
from shardlog.snapshots.writing import Contents, Streams
from tests.unit.executor.served import JOURNAL
from tests.unit.executor.snapshots import MemoryObjects
from tests.unit.snapshots.test_pace import ABOUT


class Numbers(State):
    """A set, which has no order of its own."""

    held: frozenset[int] = frozenset()


class Text(State):
    """Forgets a part of what it is made of."""

    held: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "held", self.held[:2])


def orders_differently() -> frozenset[int]:
    """A set that comes out of JSON in another order than it went in: its numbers collide in a small hash table."""
    for some in map(frozenset, permutations((29, 13, 40, 3))):
        once = msgspec.json.encode(some)
        if msgspec.json.encode(msgspec.json.decode(once, type=frozenset[int])) != once:
            return some
    raise AssertionError("no order of these numbers makes such a set")


def test_a_set_that_comes_back_in_another_order_is_the_same_state() -> None:
    held = orders_differently()
    snapshots, streams = store(Numbers()), {"a": Slot(1, Numbers(held=held))}
    manifest = snapshots.write(contents(snapshots, streams), Pace(1.0, threading.Event()))
    assert [stream.state for stream in snapshots.open(manifest.about.key).streams()] == [Numbers(held=held)]


def test_a_state_that_is_not_what_its_json_gives_back_is_found() -> None:
    snapshots, state = store(Text()), Text()
    msgspec.structs.force_setattr(state, "held", "longer than it comes back")
    with pytest.raises(Exception, match="not what its JSON gives back") as raised:
        snapshots.write(contents(snapshots, {"a": Slot(1, state)}), Pace(1.0, threading.Event()))
    assert isinstance(raised.value.__cause__, SnapshotUnusable)


def store(initial: State) -> ShardSnapshots:
    return ShardSnapshots(MemoryObjects(), JOURNAL, 0, {"some": initial})


def contents(snapshots: ShardSnapshots, streams: dict[str, Slot[State]]) -> Contents:
    return Contents(ABOUT, [Streams("some", snapshots.schemas["some"], [streams])], [])
