"""What the contracts of projection stores write: two tables of one name, some builds of them, and how they are read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import pytest

from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.model.rows import Key
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.projections import Columns, DeadLetter, LetterState, ProjectionStore, TableChanges

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"


class Tally(Row, name="contract_tallies"):
    """Counted things."""

    kind: Key[str]
    number: Key[int]
    n: int = 0
    label: str = "none"
    note: str | None = None


class OtherTally(Row, name="contract_tallies"):
    kind: Key[str]
    number: Key[int]
    n: int = 0
    label: str = "none"
    remark: str | None = None


TALLIES = Build(Projection("tallies", rows=[Tally]), 1)
AGAIN = Build(TALLIES.projection, 2)
NEWER = Build(Projection("tallies", rows=[Tally], version=2), 1)
CHANGED = Build(Projection("tallies", rows=[OtherTally]), 1)
CHANGED_AGAIN = Build(CHANGED.projection, 2)
OTHERS = Build(Projection("others", rows=[Tally]), 1)
N = Columns(("n",), ())


def checkpoint(next: int, shard: int = 0, head: str = "", journal: str = JOURNAL) -> Checkpoint:
    """A reader's state after some record."""
    return Checkpoint(journal, shard, 4, next, 1, "ab" * 16, next, head or f"{next:064x}")


def changes(
    puts: Sequence[tuple[object, ...]] = (),
    increments: Mapping[Columns, Sequence[tuple[object, ...]]] | None = None,
    updates: Mapping[Columns, Sequence[tuple[object, ...]]] | None = None,
    removes: Sequence[tuple[object, ...]] = (),
) -> tuple[TableChanges, ...]:
    """Changes of the tallies."""
    return (TableChanges(Tally, puts, increments or {}, updates or {}, removes),)


def letter(offset: int, state: LetterState, id: str = "acme:a") -> DeadLetter:
    """A dead letter at an offset."""
    return DeadLetter(
        position=Position(JOURNAL, 0, offset, 2),
        category="account",
        id=id,
        stream_version=offset,
        event_type="account/deposited/1",
        state=state,
        error="ValueError: five",
        traceback="Traceback: here",
        recorded='{"category":"account"}',
        data='{"amount":5}',
    )


class StoreContract:
    """How a contract opens a store. `rows` reads a table or view back by other means than the store's."""

    @abstractmethod
    def open(self) -> ProjectionStore:
        """A store on this test's database; called again, another one on the same database."""

    @abstractmethod
    def rows(self, table: str) -> list[tuple[object, ...]]:
        """All rows of a table, in the order of its key."""

    @pytest.fixture
    def store(self) -> Iterator[ProjectionStore]:
        """A prepared store."""
        store = self.open()
        store.builds.begin(TALLIES, {})
        yield store
        store.close()

    def tallies(self) -> list[tuple[object, ...]]:
        """The rows that analysts see."""
        return self.rows("contract_tallies")
