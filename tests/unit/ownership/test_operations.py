"""What an operator writes to the control records, and what they then say."""

from __future__ import annotations

import pytest

from shardlog.errors import ConfigurationError, JournalMismatch
from shardlog.journal.control import META_KEY, Meta, encode_meta, settled_meta
from shardlog.journal.owners import Assignment, assignment_key, encode_assignment, owner_key
from shardlog.ownership.operations import accept_input, assign, init, planned
from shardlog.ownership.settings import OwnershipSettings
from shardlog.ownership.view import check_categories, look, owner_name
from tests.unit.ownership.memory_control import MemoryControl

OTHER = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
INPUT = "kafka:acme.commands:AbC-_1"


@pytest.fixture
def control() -> MemoryControl:
    return MemoryControl()


@pytest.fixture
def meta(control: MemoryControl) -> Meta:
    return init(control, "acme", 4, {"account": 1}, 5)


# -- init --------------------------------------------------------------------------------------------------------------
def test_making_a_journal_again_changes_nothing(control: MemoryControl, meta: Meta) -> None:
    assert init(control, "renamed", 4, {"account": 1}, 99) == meta
    assert control.written == 1
    assert (meta.name, meta.time, meta.shards, meta.hash) == ("acme", 5, 4, "murmur2")


def test_making_it_again_adds_categories_and_keeps_the_rest(control: MemoryControl, meta: Meta) -> None:
    added = init(control, "acme", 4, {"flight": 0}, 99)
    assert (added.journal, dict(added.categories)) == (meta.journal, {"account": 1, "flight": 0})


@pytest.mark.parametrize(
    ("shards", "parts", "said"), [(8, 1, "number of shards"), (4, 2, "routing parts of category 'account'")]
)
def test_another_shape_is_refused_and_nothing_is_written(
    control: MemoryControl, meta: Meta, shards: int, parts: int, said: str
) -> None:
    for operation in (init, planned):
        with pytest.raises(JournalMismatch, match=said):
            operation(control, "acme", shards, {"account": parts}, 99)
    assert look(control.read()).meta == meta
    assert control.written == 1


def test_another_hash_is_refused(control: MemoryControl) -> None:
    control.write(META_KEY, encode_meta(Meta(OTHER, "acme", 5, 4, {}, hash="crc32")))
    with pytest.raises(JournalMismatch, match="hash of routing keys"):
        init(control, "acme", 4, {}, 99)


class FirstCounts(MemoryControl):
    """As the control topic is read: of meta records the first journal counts. rival: written before the first write."""

    rival = b""

    def write(self, key: str, value: bytes) -> None:
        first = self.values.get(META_KEY, b"")
        if key == META_KEY and self.rival:
            first, self.rival = self.rival, b""
        super().write(key, settled_meta(first, value) if first and key == META_KEY else value)


def test_where_another_journal_was_made_first_everybody_takes_it_with_all_categories() -> None:
    control = FirstCounts()
    control.rival = encode_meta(Meta(OTHER, "acme", 5, 4, {"account": 1}))
    made = init(control, "acme", 4, {"flight": 0}, 99)
    assert made == look(control.read()).meta
    assert (made.journal, dict(made.categories)) == (OTHER, {"account": 1, "flight": 0})


def test_where_another_journal_of_another_shape_was_made_first_it_is_refused() -> None:
    control = FirstCounts()
    control.rival = encode_meta(Meta(OTHER, "acme", 5, 8, {"account": 1}))
    with pytest.raises(JournalMismatch, match="number of shards"):
        init(control, "acme", 4, {"account": 1}, 99)


def test_what_is_planned_is_not_written(control: MemoryControl) -> None:
    stored, wanted = planned(control, "acme", 4, {"account": 1}, 5)
    assert stored is None
    assert wanted.shards == 4
    assert control.values == {}


# -- assignments -------------------------------------------------------------------------------------------------------
def test_a_shard_that_was_never_assigned_belongs_to_its_number_mod_executors(
    control: MemoryControl, meta: Meta
) -> None:
    view = look(control.read())
    assert [view.owner_of(shard, 3) for shard in range(4)] == [owner_name(n) for n in (0, 1, 2, 0)]
    assert view.shards_of("executor-0", 3) == {0, 3}
    assert view.shards_of("executor-7", 3) == frozenset()
    assert view.version_of(0) == 0


def test_each_change_of_an_assignment_has_the_next_version(control: MemoryControl, meta: Meta) -> None:
    assert assign(control, 3, "executor-1") == Assignment(meta.journal, 3, 1, "executor-1")
    assert assign(control, 3, "executor-1").version == 1, "it was so already"
    assert assign(control, 3, "executor-0").version == 2
    view = look(control.read())
    assert (view.owner_of(3, 2), view.version_of(3)) == ("executor-0", 2)
    assert view.shards_of("executor-0", 2) == {0, 2, 3}


@pytest.mark.parametrize(
    ("shard", "owner", "said"), [(4, "executor-0", "not one of 4"), (-1, "x", "not one"), (1, "", "name the owner")]
)
def test_an_assignment_that_means_nothing_is_refused(
    control: MemoryControl, meta: Meta, shard: int, owner: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        assign(control, shard, owner)
    assert control.written == 1


def test_without_a_journal_everything_says_what_makes_one(control: MemoryControl) -> None:
    for ask in (
        lambda: assign(control, 0, "executor-0"),
        lambda: accept_input(control, INPUT, {}),
        lambda: look(control.read()).known_meta,
    ):
        with pytest.raises(JournalMismatch, match="shardlog admin init"):
            ask()


def test_records_of_a_journal_of_before_are_passed_over(control: MemoryControl, meta: Meta) -> None:
    control.write(assignment_key(1), encode_assignment(Assignment(OTHER, 1, 9, "executor-9")))
    control.write(assignment_key(2), encode_assignment(Assignment(meta.journal, 3, 9, "executor-9")))
    assert not look(control.read()).assignments


def test_a_record_that_nobody_can_read_is_refused(control: MemoryControl, meta: Meta) -> None:
    control.write(owner_key(1), b"garbage")
    with pytest.raises(JournalMismatch, match="owner record"):
        look(control.read())


# -- inputs and categories ---------------------------------------------------------------------------------------------
def test_accepted_gaps_add_up_by_shard_and_never_shrink(control: MemoryControl, meta: Meta) -> None:
    assert accept_input(control, INPUT, {}).gaps == {}
    assert accept_input(control, INPUT, {0: 10}).gaps == {0: 10}
    assert accept_input(control, INPUT, {1: 7, 0: 3}).gaps == {0: 10, 1: 7}
    assert look(control.read()).inputs[INPUT].gaps == {0: 10, 1: 7}


def test_an_application_with_an_unknown_category_or_other_parts_is_refused(meta: Meta) -> None:
    check_categories(meta, {"account": 1})
    with pytest.raises(JournalMismatch, match="does not know category 'flight' yet: run `shardlog admin init`"):
        check_categories(meta, {"account": 1, "flight": 0})
    with pytest.raises(JournalMismatch, match="by 1 parts of its ids, and the application by all"):
        check_categories(meta, {"account": 0})


@pytest.mark.parametrize("wrong", [{"executors": 0}, {"poll_ms": 9}, {"poll_ms": 86_400_001}])
def test_settings_out_of_their_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="ownership"):
        OwnershipSettings(**wrong)  # type: ignore[arg-type]  # as a file may have them
