"""What an owner says of itself: once, never over a newer owner, and again where a late word replaced it."""

from __future__ import annotations

import pytest

from shardlog.journal.owners import Announcement, encode_announcement, owner_key
from shardlog.ownership.announcing import Announcer
from shardlog.ownership.assignments import Assignments
from shardlog.ownership.operations import assign, init
from shardlog.ownership.view import look
from tests.unit.ownership.memory_control import MemoryControl


@pytest.fixture
def control() -> MemoryControl:
    control = MemoryControl()
    init(control, "acme", 4, {}, 5)
    control.written = 0
    return control


@pytest.fixture
def announcer(control: MemoryControl) -> Announcer:
    return Announcer(control, look(control.read()).known_meta.journal, "executor-0", "10.0.0.7:8421")


def said(control: MemoryControl) -> dict[int, tuple[int, str]]:
    return {shard: (found.epoch, found.owner) for shard, found in look(control.read()).owners.items()}


def write(control: MemoryControl, shard: int, epoch: int, owner: str) -> None:
    journal = look(control.read()).known_meta.journal
    control.values[owner_key(shard)] = encode_announcement(Announcement(journal, shard, epoch, owner, ""))


def test_each_claim_is_announced_once(control: MemoryControl, announcer: Announcer) -> None:
    for _ in range(3):
        announcer.tell({0: 1, 2: 5}, alive=(0, 2))
    assert said(control) == {0: (1, "executor-0"), 2: (5, "executor-0")}
    assert control.written == 2
    announcer.tell({0: 3, 2: 5}, alive=(0, 2))
    assert said(control)[0] == (3, "executor-0")


def test_a_shard_that_stopped_is_released_and_one_that_backs_off_is_not(
    control: MemoryControl, announcer: Announcer
) -> None:
    announcer.tell({0: 1, 2: 5}, alive=(0, 2))
    announcer.tell({}, alive=(0,))
    assert said(control) == {0: (1, "executor-0"), 2: (5, "")}
    announcer.tell({}, alive=())
    announcer.tell({}, alive=())
    assert said(control) == {0: (1, ""), 2: (5, "")}
    assert control.written == 4


def test_a_newer_owner_s_word_stays(control: MemoryControl, announcer: Announcer) -> None:
    announcer.tell({0: 1}, alive=(0,))
    write(control, 0, 2, "executor-1")
    announcer.saw(look(control.read()).owners)
    announcer.tell({0: 1}, alive=(0,))
    announcer.tell({}, alive=())
    assert said(control) == {0: (2, "executor-1")}


def test_a_late_release_of_the_owner_of_before_is_put_right(control: MemoryControl, announcer: Announcer) -> None:
    announcer.tell({0: 2}, alive=(0,))
    write(control, 0, 1, "")
    announcer.saw(look(control.read()).owners)
    announcer.tell({0: 2}, alive=(0,))
    assert said(control) == {0: (2, "executor-0")}


def test_what_cannot_be_said_waits_for_the_next_look(control: MemoryControl, announcer: Announcer) -> None:
    announcer.tell({0: 1}, alive=(0,))
    control.is_away = True
    announcer.tell({1: 4}, alive=(1,))
    control.is_away = False
    announcer.tell({1: 4}, alive=(1,))
    assert said(control) == {0: (1, "executor-0")}, "no attempt for each shard while brokers are away"
    announcer.saw(look(control.read()).owners)
    announcer.tell({1: 4}, alive=(1,))
    assert said(control) == {0: (1, ""), 1: (4, "executor-0")}


# -- assignments -------------------------------------------------------------------------------------------------------
def test_assignments_of_before_count_while_they_cannot_be_read(
    control: MemoryControl, caplog: pytest.LogCaptureFixture
) -> None:
    assignments = Assignments(control, look(control.read()).known_meta, "executor-0", 2, lambda: 0.0)
    assert assignments.mine == {0, 2}
    assign(control, 1, "executor-0")
    control.is_away = True
    assert not assignments.refresh()
    assert not assignments.refresh()
    assert assignments.mine == {0, 2}
    assert caplog.text.count("of before count") == 1
    control.is_away = False
    assert assignments.refresh()
    assert assignments.mine == {0, 1, 2}
    assert assignments.is_mine(1)


@pytest.mark.parametrize("change", ["emptied", "made anew", "garbage"])
def test_records_that_are_no_longer_of_the_journal_change_nothing(control: MemoryControl, change: str) -> None:
    assignments = Assignments(control, look(control.read()).known_meta, "executor-0", 2, lambda: 0.0)
    if change == "garbage":
        control.values["assignment/0"] = b"garbage"
    else:
        control.values.clear()
    if change == "made anew":
        init(control, "acme", 4, {}, 6)
    assert not assignments.refresh()
    assert assignments.mine == {0, 2}
