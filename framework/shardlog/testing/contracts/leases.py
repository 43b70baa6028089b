"""What every adapter of leases must do: subclass LeasesContract and say how to open it."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator

import pytest

from shardlog.ports.leases import Leases

LONG_MS = 60_000
SHORT_MS = 300
DEADLINE_SECONDS = 30.0


class LeasesContract:
    """One holder at a time of each lease, for as long as it says that it lives."""

    @abstractmethod
    def open(self) -> Leases:
        """The same group at every call of one test, empty at first."""

    @pytest.fixture
    def leases(self) -> Iterator[Leases]:
        leases = self.open()
        yield leases
        leases.close()

    @pytest.fixture
    def other(self) -> Iterator[Leases]:
        leases = self.open()
        yield leases
        leases.close()

    def test_at_first_there_is_nobody_but_oneself(self, leases: Leases) -> None:
        seen = leases.look("a", ["p/1/1", "q/1/1"], LONG_MS)
        assert seen.members == {"p/1/1": ("a",), "q/1/1": ("a",)}
        assert seen.held == {"p/1/1": {}, "q/1/1": {}}

    def test_members_are_seen_in_order_and_only_by_the_names_that_they_serve(
        self, leases: Leases, other: Leases
    ) -> None:
        for member, names in (("b", ["p"]), ("B", ["p", "q"]), ("a", ["q"])):
            other.look(member, names, LONG_MS)
        assert leases.look("c", ["p", "q"], LONG_MS).members == {"p": ("B", "b", "c"), "q": ("B", "a", "c")}
        other.look("B", ["p"], LONG_MS)
        assert leases.look("c", ["p", "q"], LONG_MS).members == {"p": ("B", "b", "c"), "q": ("a", "c")}

    def test_what_nobody_holds_is_taken_and_is_then_held(self, leases: Leases, other: Leases) -> None:
        assert leases.take("a", {"p": [0, 1], "q": []}, LONG_MS) == {"p": frozenset({0, 1}), "q": frozenset()}
        assert other.take("b", {"p": [1, 2]}, LONG_MS) == {"p": frozenset({2})}
        assert leases.look("c", ["p", "q"], LONG_MS).held == {"p": {0: "a", 1: "a", 2: "b"}, "q": {}}

    def test_leases_of_two_names_have_nothing_to_do_with_one_another(self, leases: Leases, other: Leases) -> None:
        leases.take("a", {"p": [0]}, LONG_MS)
        assert other.take("b", {"p/1": [0], "P": [0]}, LONG_MS) == {"p/1": frozenset({0}), "P": frozenset({0})}

    def test_what_is_not_wanted_any_more_is_given_back(self, leases: Leases, other: Leases) -> None:
        leases.take("a", {"p": [0, 1], "q": [0]}, LONG_MS)
        leases.take("a", {"p": [1]}, LONG_MS)
        assert other.take("b", {"p": [0, 1], "q": [0]}, LONG_MS) == {"p": frozenset({0}), "q": frozenset({0})}

    def test_who_releases_is_no_member_and_holds_nothing(self, leases: Leases, other: Leases) -> None:
        leases.look("a", ["p"], LONG_MS)
        leases.take("a", {"p": [0, 1]}, LONG_MS)
        leases.release("a")
        leases.release("a")
        assert other.look("b", ["p"], LONG_MS) == ({"p": ("b",)}, {"p": {}})

    def test_who_says_nothing_any_more_is_no_member_and_its_shards_are_taken(
        self, leases: Leases, other: Leases
    ) -> None:
        leases.look("a", ["p"], SHORT_MS)
        leases.take("a", {"p": [0, 1]}, SHORT_MS)
        until(lambda: other.look("b", ["p"], LONG_MS) == ({"p": ("b",)}, {"p": {}}))
        assert other.take("b", {"p": [0]}, LONG_MS) == {"p": frozenset({0})}
        assert leases.take("a", {"p": [0, 1]}, LONG_MS) == {"p": frozenset({1})}

    def test_a_lease_that_ran_out_is_taken_by_who_has_not_looked(self, leases: Leases, other: Leases) -> None:
        leases.take("a", {"p": [0]}, SHORT_MS)
        until(lambda: other.take("b", {"p": [0]}, LONG_MS) == {"p": frozenset({0})})

    def test_who_says_that_it_lives_keeps_its_shards_beyond_the_first_time(self, leases: Leases, other: Leases) -> None:
        leases.take("a", {"p": [0]}, SHORT_MS)
        leases.take("a", {"p": [0]}, LONG_MS)
        other.take("b", {"p": [1]}, SHORT_MS)
        until(lambda: leases.take("c", {"p": [0, 1]}, LONG_MS) == {"p": frozenset({1})})
        assert leases.look("c", ["p"], LONG_MS).held == {"p": {0: "a", 1: "c"}}

    def test_of_many_that_want_the_same_each_shard_has_one(self, leases: Leases) -> None:
        taken: list[frozenset[int]] = []

        def member(number: int) -> None:
            mine = self.open()
            try:
                for _ in range(20):
                    held = mine.take(f"m{number}", {"p": range(16)}, LONG_MS)
                taken.append(held["p"])
            finally:
                mine.close()

        threads = [threading.Thread(target=member, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(shard for shards in taken for shard in shards) == list(range(16))

    def test_closing_twice_is_no_error(self, leases: Leases) -> None:
        leases.close()
        leases.close()


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again until it holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
