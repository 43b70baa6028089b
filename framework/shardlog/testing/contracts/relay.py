"""What every relay store must do: subclass RelayStoreContract in a test and say how to open the store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import pytest

from shardlog.errors import CheckpointMoved
from shardlog.model.recorded import Position
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.relay import CommandDeadLetter, RelayStore

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
OTHER = "1d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"


def checkpoint(next: int, shard: int = 0, head: str = "", journal: str = JOURNAL) -> Checkpoint:
    """A reader's state after some record."""
    return Checkpoint(journal, shard, 4, next, 1, "ab" * 16, next, head or f"{next:064x}")


def letter(offset: int, index: int = 0, shard: int = 0, journal: str = JOURNAL, **more: Any) -> CommandDeadLetter:
    """A dead letter at a position."""
    return CommandDeadLetter(
        position=Position(journal, shard, offset, index), code="unknown_command", message="no", time=2**53 - 1, **more
    )


FULL = letter(
    7,
    category="account",
    id="acme:a",
    command="fly",
    command_id="c-1",
    manager="payments",
    tenant="acme",
    actor="ann'); DROP TABLE shardlog_command_dead_letters; --",
    correlation="c-0",
    causation="c-0b",
    payload='{"to":"\N{SNOWMAN}"}',
    input="kafka:commands:9f",
    input_offset=2**53 - 1,
    original=bytes(range(256)),
)


class RelayStoreContract:
    """The contract."""

    @abstractmethod
    def open(self) -> RelayStore:
        """A store on this test's database; called again, another one on the same database."""

    @pytest.fixture
    def store(self) -> Iterator[RelayStore]:
        """A store."""
        store = self.open()
        yield store
        store.close()

    # checkpoints

    def test_checkpoints_are_read_back_whole_by_another_store(self, store: RelayStore) -> None:
        store.write([Move(None, checkpoint(5)), Move(None, checkpoint(9, shard=3))], [])
        store.write([Move(checkpoint(5), checkpoint(8))], [])
        again = self.open()
        assert again.checkpoints(JOURNAL) == {0: checkpoint(8), 3: checkpoint(9, shard=3)}
        again.close()

    @pytest.mark.parametrize("old", [checkpoint(6), checkpoint(5, head="ef" * 32), checkpoint(5, shard=1), None])
    def test_a_checkpoint_that_is_not_the_expected_one_refuses_all(
        self, store: RelayStore, old: Checkpoint | None
    ) -> None:
        store.write([Move(None, checkpoint(5))], [])
        moves = [Move(None, checkpoint(4, shard=2)), Move(old, checkpoint(9, shard=old.shard if old else 0))]
        with pytest.raises(CheckpointMoved, match="another relay has moved"):
            store.write(moves, [letter(3)])
        assert store.checkpoints(JOURNAL) == {0: checkpoint(5)}
        assert store.dead_letters(JOURNAL, 10) == []

    def test_journals_do_not_touch(self, store: RelayStore) -> None:
        store.write([Move(None, checkpoint(5))], [letter(3)])
        assert store.checkpoints(OTHER) == {}
        assert store.dead_letters(OTHER, 10) == []
        store.write([Move(None, checkpoint(6, journal=OTHER))], [])
        assert store.checkpoints(JOURNAL) == {0: checkpoint(5)}

    # dead letters

    def test_a_dead_letter_is_read_back_whole(self, store: RelayStore) -> None:
        store.write([], [FULL, letter(8)])
        again = self.open()
        assert again.dead_letters(JOURNAL, 10) == [FULL, letter(8)]
        again.close()

    def test_dead_letters_come_in_the_order_of_positions_page_by_page(self, store: RelayStore) -> None:
        written = [letter(2, shard=1), letter(10), letter(9, index=1), letter(9), letter(100)]
        store.write([], written)
        places = [(0, 9, 0), (0, 9, 1), (0, 10, 0), (0, 100, 0), (1, 2, 0)]
        first = store.dead_letters(JOURNAL, 3)
        second = store.dead_letters(JOURNAL, 3, after=first[-1].position)
        found = [(each.position.shard, each.position.offset, each.position.index) for each in first + second]
        assert found == places

    def test_a_letter_that_is_known_stays_as_it_is(self, store: RelayStore) -> None:
        store.write([], [letter(3, command="first")])
        store.resolve(letter(3).position, "retried")
        store.write([Move(None, checkpoint(5))], [letter(3, command="again"), letter(4)])
        assert [(each.command, each.state) for each in store.dead_letters(JOURNAL, 10)] == [
            ("first", "retried"),
            ("", "open"),
        ]
        assert store.checkpoints(JOURNAL) == {0: checkpoint(5)}

    def test_a_letter_is_resolved_once(self, store: RelayStore) -> None:
        store.write([], [letter(3), letter(4)])
        store.resolve(letter(3).position, "rejected")
        for position in (letter(3).position, letter(5).position):
            with pytest.raises(CheckpointMoved, match="no open dead letter"):
                store.resolve(position, "retried")
        assert [each.state for each in store.dead_letters(JOURNAL, 10)] == ["rejected", "open"]

    def test_closing_twice_is_harmless(self, store: RelayStore) -> None:
        store.close()
        store.close()
