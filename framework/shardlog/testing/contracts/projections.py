"""What every projection store must do: subclass ProjectionStoreContract in a test and say how to open the store."""

from __future__ import annotations

from enum import Enum

import pytest

from shardlog.errors import CheckpointMoved, Diverged, RowsRefused, TableMismatch
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch, Columns, ProjectionStore
from shardlog.testing.contracts.builds import BuildsContract
from shardlog.testing.contracts.tallies import CHANGED, JOURNAL, NEWER, TALLIES, N, changes, checkpoint, letter


class Kind(str, Enum):  # noqa: UP042  # not StrEnum, whose str() is the text
    """A text by type, whose str() is another one."""

    BLUE = "blue"


class ProjectionStoreContract(BuildsContract):
    """The contract, that of its builds among it. `rows` reads a table back by other means than the store's."""

    # rows

    def test_a_put_inserts_a_row_and_replaces_the_one_with_its_key(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", "first"), ("a", 2, 6, "y", None)])))
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 9, "z", None)])))
        assert self.tallies() == [("a", 1, 9, "z", None), ("a", 2, 6, "y", None)]

    def test_an_increment_inserts_the_row_where_it_is_missing_and_adds_where_it_is_there(
        self, store: ProjectionStore
    ) -> None:
        for _ in range(2):
            store.write(Batch(TALLIES, tables=changes(increments={N: [("a", 1, 3, "none", None, 3)]})))
        assert self.tallies() == [("a", 1, 6, "none", None)]

    def test_an_increment_sets_columns_besides_and_inserts_other_values_than_it_adds(
        self, store: ProjectionStore
    ) -> None:
        columns = Columns(("n",), ("label", "note"))
        group = {columns: [("a", 1, 2, "none", None, 7, "set", "noted")]}
        store.write(Batch(TALLIES, tables=changes(increments=group)))
        assert self.tallies() == [("a", 1, 2, "none", None)]
        store.write(Batch(TALLIES, tables=changes(increments=group)))
        assert self.tallies() == [("a", 1, 9, "set", "noted")]

    def test_an_update_adds_and_sets_and_does_nothing_where_the_row_is_missing(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)])))
        group = {Columns(("n",), ("label",)): [(2, "y", "a", 1), (2, "y", "a", 2)]}
        store.write(Batch(TALLIES, tables=changes(updates=group)))
        assert self.tallies() == [("a", 1, 7, "y", None)]

    def test_an_update_or_increment_of_no_column_changes_no_column(self, store: ProjectionStore) -> None:
        none = Columns((), ())
        group = changes(increments={none: [("a", 1, 0, "none", None)]}, updates={none: [("a", 2)]})
        store.write(Batch(TALLIES, tables=group))
        store.write(Batch(TALLIES, tables=group))
        assert self.tallies() == [("a", 1, 0, "none", None)]

    def test_a_remove_deletes_the_row_and_does_nothing_where_it_is_missing(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None), ("b", 1, 5, "x", None)])))
        store.write(Batch(TALLIES, tables=changes(removes=[("a", 1), ("c", 1)])))
        assert self.tallies() == [("b", 1, 5, "x", None)]

    def test_values_are_never_read_as_sql(self, store: ProjectionStore) -> None:
        text = "x'); DROP TABLE contract_tallies; --\0\N{SNOWMAN}%s ? :n"
        store.write(Batch(TALLIES, tables=changes(puts=[(text.replace("\0", ""), 1, 5, "x", None)])))
        assert self.tallies() == [(text.replace("\0", ""), 1, 5, "x", None)]

    def test_a_text_that_is_also_a_member_of_an_enum_is_the_same_text(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, tables=changes(puts=[(Kind.BLUE, 1, 5, Kind.BLUE, Kind.BLUE)])))
        store.write(Batch(TALLIES, tables=changes(updates={N: [(2, "blue", 1)]})))
        store.write(Batch(TALLIES, tables=changes(increments={N: [(Kind.BLUE, 1, 3, "none", None, 3)]})))
        assert self.tallies() == [("blue", 1, 10, "blue", "blue")]

    @pytest.mark.parametrize(
        "row",
        [("a", 1, "five", "x", None), ("a", 1, None, "x", None), ("a", 1, 2**70, "x", None), ("a", 1, 5, 6j, None)],
    )
    def test_a_value_that_does_not_fit_refuses_the_whole_batch(
        self, store: ProjectionStore, row: tuple[object, ...]
    ) -> None:
        batch = Batch(TALLIES, [Move(None, checkpoint(5))], changes(puts=[("a", 0, 1, "x", None), row]))
        with pytest.raises(RowsRefused, match="contract_tallies"):
            store.write(batch)
        assert self.tallies() == []
        assert store.stored(TALLIES.key).checkpoints == {}

    def test_a_sum_beyond_64_bits_is_refused(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 2**63 - 1, "x", None)])))
        with pytest.raises(RowsRefused):
            store.write(Batch(TALLIES, tables=changes(updates={N: [(1, "a", 1)]})))
        assert self.tallies() == [("a", 1, 2**63 - 1, "x", None)]

    def test_a_batch_that_is_only_tried_leaves_nothing(self, store: ProjectionStore) -> None:
        batch = Batch(
            TALLIES, [Move(None, checkpoint(5))], changes(puts=[("a", 1, 5, "x", None)]), [letter(3, "failed")]
        )
        store.write(batch, keep=False)
        assert self.tallies() == []
        assert store.stored(TALLIES.key) == ({}, [], {})
        store.write(batch)
        assert len(self.tallies()) == 1

    # checkpoints

    def test_checkpoints_move_with_the_rows_and_are_read_back_whole(self, store: ProjectionStore) -> None:
        first = [Move(None, checkpoint(5)), Move(None, checkpoint(9, shard=3))]
        store.write(Batch(TALLIES, first, changes(puts=[("a", 1, 5, "x", None)])))
        store.write(Batch(TALLIES, [Move(checkpoint(5), checkpoint(8))]))
        store.close()
        again = self.open()
        assert again.stored(TALLIES.key).checkpoints == {0: checkpoint(8), 3: checkpoint(9, shard=3)}
        again.close()

    @pytest.mark.parametrize("old", [checkpoint(6), checkpoint(5, head="ef" * 32), checkpoint(5, shard=1), None])
    def test_a_checkpoint_that_is_not_the_expected_one_refuses_the_whole_batch(
        self, store: ProjectionStore, old: Checkpoint | None
    ) -> None:
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))]))
        move = Move(old, checkpoint(9, shard=old.shard if old else 0))
        with pytest.raises(CheckpointMoved, match="another worker has moved it"):
            store.write(Batch(TALLIES, [move], changes(puts=[("a", 1, 5, "x", None)])))
        assert self.tallies() == []
        assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(5)}

    def test_checkpoints_of_two_journals_are_refused(self, store: ProjectionStore) -> None:
        other = "1" + JOURNAL[1:]
        store.write(Batch(TALLIES, [Move(None, checkpoint(5)), Move(None, checkpoint(5, journal=other))]))
        with pytest.raises(Diverged, match="rebuild"):
            store.stored(TALLIES.key)

    # tables

    def test_a_table_that_is_as_the_row_class_says_is_taken(self, store: ProjectionStore) -> None:
        store.prepare(TALLIES)

    def test_a_table_that_is_not_as_the_row_class_says_is_refused_by_table_and_column(
        self, store: ProjectionStore
    ) -> None:
        with pytest.raises(TableMismatch, match=r"'contract_tallies_v1'.*'remark' is missing; column 'note' is not in"):
            store.prepare(CHANGED)

    def test_a_table_that_is_missing_is_refused_rather_than_made_empty(self, store: ProjectionStore) -> None:
        with pytest.raises(TableMismatch, match=r"'contract_tallies_v2' is missing"):
            store.prepare(NEWER)

    # dead letters

    def test_dead_letters_are_read_back_whole_by_stream_in_order(self, store: ProjectionStore) -> None:
        written = [letter(11, "failed"), letter(20, "parked"), letter(100, "parked"), letter(4, "failed", id="acme:b")]
        store.write(Batch(TALLIES, letters=written))
        assert store.dead_letters(TALLIES.key) == written
        for stream in {(held.category, held.id) for held in written}:
            of_stream = [held for held in written if (held.category, held.id) == stream]
            assert store.dead_letters(TALLIES.key, stream) == of_stream
        assert store.dead_letters(TALLIES.key, ("nothing", "there")) == []
        assert store.stored(TALLIES.key).letters == [(w.position, w.category, w.id, w.state) for w in written]
        assert store.dead_letters(NEWER.key) == []

    def test_nothing_is_parked_behind_dead_letters_that_another_worker_has_settled(
        self, store: ProjectionStore
    ) -> None:
        store.write(Batch(TALLIES, letters=[letter(3, "failed")]))
        store.write(Batch(TALLIES, handled=[letter(3, "failed").position]))
        with pytest.raises(CheckpointMoved, match="acme:a has no dead letters any more"):
            store.write(Batch(TALLIES, [Move(None, checkpoint(5))], letters=[letter(4, "parked")]))
        assert store.stored(TALLIES.key) == ({}, [], {})

    def test_of_several_streams_each_must_have_what_its_letters_are_parked_behind(self, store: ProjectionStore) -> None:
        streams = [f"acme:{name}" for name in "abc"]
        store.write(Batch(TALLIES, letters=[letter(3 + n, "failed", id) for n, id in enumerate(streams)]))
        parked = [letter(20 + n, "parked", id) for n, id in enumerate(streams * 2)]
        new = [letter(40, "failed", "acme:d"), letter(41, "parked", "acme:d")]
        store.write(Batch(TALLIES, letters=[*parked, *new]))
        assert len(store.dead_letters(TALLIES.key)) == 3 + 6 + 2
        gone = [letter(4, "failed"), letter(21, "parked"), letter(24, "parked")]
        store.write(Batch(TALLIES, handled=[one.position for one in gone]))
        before = store.dead_letters(TALLIES.key)
        late = [letter(50 + n, "parked", id) for n, id in enumerate(streams)]
        with pytest.raises(CheckpointMoved, match="acme:b has no dead letters any more"):
            store.write(Batch(TALLIES, [Move(None, checkpoint(60))], letters=late))
        assert store.dead_letters(TALLIES.key) == before
        assert store.stored(TALLIES.key).checkpoints == {}

    def test_a_dead_letter_is_handled_with_its_rows_and_only_once(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, letters=[letter(3, "failed")]))
        handled = Batch(
            TALLIES,
            tables=changes(increments={N: [("a", 1, 3, "none", None, 3)]}),
            handled=[letter(3, "failed").position],
        )
        store.write(handled)
        with pytest.raises(CheckpointMoved, match="no dead letter at"):
            store.write(handled)
        assert self.tallies() == [("a", 1, 3, "none", None)]
        assert store.dead_letters(TALLIES.key) == []

    def test_a_skipped_dead_letter_stays_as_skipped(self, store: ProjectionStore) -> None:
        store.write(Batch(TALLIES, letters=[letter(3, "failed")]))
        store.write(Batch(TALLIES, skipped=[letter(3, "failed").position]))
        assert [found.state for found in store.dead_letters(TALLIES.key)] == ["skipped"]
        with pytest.raises(CheckpointMoved):
            store.write(Batch(TALLIES, skipped=[letter(3, "failed").position]))

    def test_closing_twice_is_harmless(self, store: ProjectionStore) -> None:
        store.close()
        store.close()
