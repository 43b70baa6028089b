"""What every projection store must do with builds; a part of ProjectionStoreContract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardlog.errors import BuildBehind, BuildRefused, CheckpointMoved, TableMismatch
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.model.rows import Key
from shardlog.ports.builds import Build, BuildKey
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, ProjectionStore, TableChanges
from shardlog.testing.contracts.tallies import (
    AGAIN,
    CHANGED_AGAIN,
    NEWER,
    OTHERS,
    TALLIES,
    OtherTally,
    StoreContract,
    Tally,
    changes,
    checkpoint,
    letter,
)


class Extra(Row, name="contract_extras"):
    key: Key[str]


class Suffixed(Row, name="contract_tallies_v1"):
    kind: Key[str]


WITH_EXTRA = Build(Projection("tallies", rows=[*TALLIES.projection.rows, Extra], version=2), 1)
STOPS = Build(Projection("tallies", rows=[Tally], version=3, on_failure="stop"), 1)
ROW = ("a", 1, 5, "x", None)


def states(store: ProjectionStore) -> dict[str, str]:
    """By build, its state."""
    return {record.key.label: record.state for record in store.builds.records()}


class BuildsContract(StoreContract):
    """The contract of builds."""

    def test_the_first_build_serves_and_begins_once(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(puts=[ROW])))
        record = store.builds.begin(TALLIES, {0: 9})
        assert (record.key, record.state, record.is_paused, record.stopped) == (TALLIES.key, "serving", False, "")
        assert states(store) == {"tallies/1/1": "serving"}
        assert self.tallies() == self.rows("contract_tallies_v1") == [ROW]
        assert store.stored(TALLIES.key).rebuild_to == {}

    def test_a_build_stands_beside_the_one_that_serves_until_the_switch(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(puts=[ROW])))
        store.builds.begin(NEWER, {0: 5})
        store.write(Batch(NEWER, [Move(None, checkpoint(7))], changes(puts=[("b", 1, 5, "x", None)])))
        assert states(store) == {"tallies/1/1": "serving", "tallies/2/1": "building"}
        assert self.tallies() == [ROW]
        assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(5)}
        assert store.stored(NEWER.key) == ({0: checkpoint(7)}, [], {0: 5})
        store.builds.switch(NEWER.key, {0: 7, 1: 0})
        assert states(store) == {"tallies/1/1": "retired", "tallies/2/1": "serving"}
        assert self.tallies() == self.rows("contract_tallies_v2") == [("b", 1, 5, "x", None)]

    def test_a_retired_build_is_written_on_and_can_be_switched_back_to(self, store: ProjectionStore) -> None:
        store.builds.begin(AGAIN, {})
        store.builds.switch(AGAIN.key, {})
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(puts=[ROW])))
        assert self.tallies() == self.rows("contract_tallies_v1_b2") == []
        store.builds.switch(TALLIES.key, {0: 5})
        assert self.tallies() == [ROW]
        assert states(store) == {"tallies/1/1": "serving", "tallies/1/2": "retired"}

    def test_what_is_paused_stays_so_over_a_switch(self, store: ProjectionStore) -> None:
        store.builds.begin(AGAIN, {})
        store.builds.pause(TALLIES.key, is_paused=True)
        store.builds.switch(AGAIN.key, {})
        assert [record.is_paused for record in store.builds.records()] == [False, True]
        store.builds.pause(AGAIN.key, is_paused=False)
        store.builds.switch(TALLIES.key, {})
        assert [record.is_paused for record in store.builds.records()] == [False, False]

    def test_a_build_that_lacks_more_than_it_may_is_not_switched_to(self, store: ProjectionStore) -> None:
        store.builds.begin(AGAIN, {})
        store.write(Batch(AGAIN, [Move(None, checkpoint(5)), Move(None, checkpoint(3, shard=2))]))
        with pytest.raises(BuildBehind, match=r"tallies/1/2 lacks 9 records.*and 8 is the most"):
            store.builds.switch(AGAIN.key, {0: 6, 1: 0, 2: 3, 3: 8}, behind_max=8)
        assert states(store) == {"tallies/1/1": "serving", "tallies/1/2": "building"}
        store.builds.switch(AGAIN.key, {0: 6, 1: 0, 2: 3, 3: 8}, behind_max=9)
        store.builds.switch(TALLIES.key, {0: 100}, behind_max=None)
        assert states(store) == {"tallies/1/1": "serving", "tallies/1/2": "retired"}

    def test_columns_and_tables_of_the_views_are_those_of_the_build_that_serves(self, store: ProjectionStore) -> None:
        store.builds.begin(CHANGED_AGAIN, {})
        row = TableChanges(OtherTally, [("a", 1, 5, "x", "remarked")], {}, {}, [])
        store.write(Batch(CHANGED_AGAIN, tables=[row]))
        store.builds.switch(CHANGED_AGAIN.key, {})
        assert self.tallies() == [("a", 1, 5, "x", "remarked")]
        store.builds.begin(WITH_EXTRA, {})
        store.write(Batch(WITH_EXTRA, tables=[TableChanges(Extra, [("k",)], {}, {}, [])]))
        store.builds.switch(WITH_EXTRA.key, {})
        assert self.tallies() == []
        store.builds.switch(TALLIES.key, {})
        store.builds.switch(WITH_EXTRA.key, {})
        store.write(Batch(WITH_EXTRA, tables=changes(puts=[ROW])))
        assert self.tallies() == [ROW]

    def test_dropping_takes_a_build_with_all_that_it_has_and_leaves_the_others(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(puts=[ROW]), [letter(3, "failed")]))
        store.builds.begin(AGAIN, {0: 5})
        store.write(Batch(AGAIN, [Move(None, checkpoint(5))], changes(puts=[ROW])))
        store.builds.drop(AGAIN.key)
        assert states(store) == {"tallies/1/1": "serving"}
        assert store.stored(AGAIN.key) == ({}, [], {})
        assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(5)}
        assert [place.position.offset for place in store.stored(TALLIES.key).letters] == [3]
        store.builds.begin(AGAIN, {})
        assert self.rows("contract_tallies_v1_b2") == []
        assert self.tallies() == [ROW]

    def test_a_build_of_a_projection_that_stops_takes_over_what_was_skipped_alone(self, store: ProjectionStore) -> None:
        letters = [letter(3, "failed"), letter(4, "parked"), letter(5, "skipped", "acme:b")]
        store.write(Batch(TALLIES, [Move(None, checkpoint(9))], letters=letters))
        store.builds.begin(STOPS, {0: 9})
        store.builds.begin(AGAIN, {0: 9})
        assert [place.position.offset for place in store.stored(STOPS.key).letters] == [5]
        assert [place.position.offset for place in store.stored(AGAIN.key).letters] == [3, 4, 5]

    def test_what_serves_and_what_there_is_not_is_neither_dropped_nor_changed(self, store: ProjectionStore) -> None:
        with pytest.raises(BuildRefused, match="tallies/1/1 serves"):
            store.builds.drop(TALLIES.key)
        missing = BuildKey("tallies", 7, 1)
        refused: list[Callable[[], object]] = [
            lambda: store.builds.drop(missing),
            lambda: store.builds.switch(missing, {}),
            lambda: store.builds.pause(missing, is_paused=True),
            lambda: store.builds.resume(missing),
            lambda: store.builds.note_stopped(missing, "why"),
        ]
        for change in refused:
            with pytest.raises(BuildRefused, match="there is no build tallies/7/1"):
                change()
        assert states(store) == {"tallies/1/1": "serving"}

    def test_who_writes_to_a_dropped_build_is_refused_by_its_checkpoint(self, store: ProjectionStore) -> None:
        store.builds.begin(AGAIN, {})
        first, second = Move(None, checkpoint(5)), Move(checkpoint(5), checkpoint(8))
        store.write(Batch(AGAIN, [first], changes(puts=[ROW])))
        store.builds.drop(AGAIN.key)
        for move in (first, second):
            with pytest.raises(CheckpointMoved):
                store.write(Batch(AGAIN, [move], changes(puts=[ROW])))
        assert store.stored(AGAIN.key) == ({}, [], {})

    def test_a_build_beside_takes_over_what_is_a_dead_letter(self, store: ProjectionStore) -> None:
        written = [letter(11, "failed"), letter(20, "parked"), letter(4, "failed", id="acme:b")]
        store.write(Batch(TALLIES, letters=written))
        store.write(Batch(TALLIES, skipped=[letter(4, "failed").position]))
        for build in (AGAIN, NEWER):
            store.builds.begin(build, {0: 30})
            assert store.dead_letters(build.key) == store.dead_letters(TALLIES.key)
        store.write(Batch(AGAIN, handled=[letter(11, "failed").position]))
        assert len(store.dead_letters(AGAIN.key)) == 2
        assert len(store.dead_letters(TALLIES.key)) == len(store.dead_letters(NEWER.key)) == 3

    def test_a_record_says_what_others_must_know(self, store: ProjectionStore) -> None:
        builds = store.builds
        builds.pause(TALLIES.key, is_paused=True)
        builds.note_stopped(TALLIES.key, "HandlerFailed: 'five' %s :n")
        (record,) = builds.records("tallies")
        assert (record.is_paused, record.attempt, record.stopped) == (True, 0, "HandlerFailed: 'five' %s :n")
        builds.pause(TALLIES.key, is_paused=False)
        builds.resume(TALLIES.key)
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], passed_over="shard 0: 0 to 5. "))
        store.write(Batch(TALLIES, [Move(checkpoint(5), checkpoint(8))], passed_over="shard 0: 5 to 8. "))
        (record,) = builds.records("tallies")
        assert (record.is_paused, record.attempt, record.stopped) == (False, 1, "")
        assert record.passed_over == "shard 0: 0 to 5. shard 0: 5 to 8. "
        assert list(builds.records("nobody")) == []

    def test_a_table_or_view_of_another_projection_is_not_taken(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, tables=changes(puts=[ROW])))
        suffixed = Build(Projection("suffixed", rows=[Suffixed]), 1)
        for other, name in ((OTHERS, "'contract_tallies"), (suffixed, "'contract_tallies_v1'")):
            with pytest.raises(TableMismatch, match=rf"{name}.*'tallies'"):
                store.builds.begin(other, {})
        assert states(store) == {"tallies/1/1": "serving"}
        assert self.tallies() == [ROW]
