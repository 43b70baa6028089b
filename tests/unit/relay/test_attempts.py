"""What a relay tries again, and when."""

from __future__ import annotations

from shardlog.errors import Corrupt, JournalUnavailable, ShardlogError
from shardlog.relay.attempts import Attempts


class Log:
    """Shards that fail as told, at a time that is set. asked: which were asked, in order."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.failing: dict[str, ShardlogError] = {}
        self.asked: list[str] = []
        self.attempts = Attempts("reader", lambda: self.now_ms, retry_ms=100, retry_ms_max=1_600)

    def look(self, *names: str) -> list[str]:
        """Those that were asked."""
        self.asked = []
        for name in names:
            self.attempts.attempt(name, lambda name=name: self._ask(name))  # type: ignore[misc]
        return self.asked

    def _ask(self, name: str) -> bool:
        self.asked.append(name)
        if name in self.failing:
            raise self.failing[name]
        return True


def fail_for_long(log: Log) -> None:
    """Until each wait is at its longest."""
    for _ in range(6):
        log.now_ms += 2_000
        log.look("one", "two")


def test_what_fails_again_is_left_alone_for_longer() -> None:
    log = Log()
    log.failing = {"one": JournalUnavailable("no broker")}
    assert log.look("one") == ["one"]
    log.now_ms = 100
    assert log.look("one") == ["one"]
    log.now_ms = 299
    assert log.look("one") == []
    log.now_ms = 300
    assert log.look("one") == ["one"]


def test_when_one_shard_answers_again_the_others_that_had_no_answer_are_asked_at_once() -> None:
    log = Log()
    log.failing = {"one": JournalUnavailable("no broker"), "two": JournalUnavailable("no broker")}
    fail_for_long(log)
    log.now_ms += 800
    log.failing = {}
    assert log.look("one", "two") == []
    log.now_ms += 800
    log.failing = {"two": JournalUnavailable("a moment yet")}
    assert log.look("one", "two") == ["one", "two"]
    log.now_ms += 100  # its wait begins anew, too
    assert log.look("two") == ["two"]


def test_what_is_broken_is_left_alone_whatever_other_shards_do() -> None:
    log = Log()
    log.failing = {"one": JournalUnavailable("no broker"), "two": Corrupt(2, 7, "its checksum is wrong")}
    fail_for_long(log)
    log.now_ms += 1_600
    assert log.look("two") == ["two"]
    log.failing.pop("one")
    assert log.look("one", "two") == ["one"]
