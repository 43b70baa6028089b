"""The projector writes what the log says, with its checkpoint, and goes on from there."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shardlog import (
    Changes,
    Projection,
    Recorded,
    increment,
    put,
    update,
)
from shardlog.errors import CheckpointMoved, ConfigurationError, RowShared, TableMismatch
from shardlog.projector.runner import Lag
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import (
    Deposited,
    Noted,
    Opened,
    Paid,
    Total,
    bank,
    counters,
)
from tests.unit.projector.histories import SHARDS, Make, Opening, put_opened, rows, some_history
from tests.unit.projector.log import JOURNAL, TIME, LogWriter


def test_rows_are_what_the_events_say(log: LogWriter, make: Make, database: Path) -> None:
    some_history(log)
    make().drain()
    expected = [(f"l{n}:a", f"owner {n}", n * (n + 1) // 2, n) for n in range(20) if n % 5]
    assert rows(database, "balances") == sorted(expected)
    assert rows(database, "totals") == [("deposited", 190, sum(n * (n + 1) // 2 for n in range(20))), ("opened", 20, 0)]


@pytest.mark.parametrize("frames_max", [1, 3, 1000])
def test_the_size_of_batches_changes_nothing(log: LogWriter, make: Make, database: Path, frames_max: int) -> None:
    some_history(log)
    make(limits=Limits(batch_frames_max=frames_max, batch_bytes_max=2_000)).drain()
    assert len(rows(database, "balances")) == 16
    assert rows(database, "totals")[1] == ("opened", 20, 0)


def test_a_second_projector_goes_on_where_the_first_stopped(log: LogWriter, make: Make, database: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    make().drain()
    log.happened(("a:1", Deposited(amount=6)))
    again = make()
    assert again.drain() == 1
    assert rows(database, "balances") == [("a:1", "ann", 11, 2)]
    assert again.step() == 0


def test_a_handler_hears_all_that_is_recorded_of_an_event(log: LogWriter, make: Make) -> None:
    heard: list[tuple[object, Recorded]] = []
    application, _ = bank()
    listening = Projection("listening", rows=[Total])

    @listening.on
    def hear(event: Deposited | Opened, recorded: Recorded) -> Changes:
        heard.append((event, recorded))
        return None

    shard = log.shard_of("a:1")
    entries = [
        log.rejected("a:1", "frozen"),
        log.accepted("a:1"),
        log.accepted("a:1", Noted(text="x"), Opened(owner="ann"), occurred_at=TIME - 1),
        log.accepted("a:1", Deposited(amount=5)),
    ]
    offset = log.frame(shard, entries)
    make(listening, application=application).drain()
    (_, opened), (event, deposited) = heard
    assert event == Deposited(amount=5)
    time = datetime.fromtimestamp(log.time // 1000 / 1000, UTC)
    assert (deposited.category, deposited.id, deposited.version, deposited.time) == ("account", "a:1", 3, time)
    assert (deposited.tenant, deposited.actor, deposited.command_id) == ("acme", "ann", deposited.correlation_id)
    assert deposited.occurred_at == time
    assert opened.occurred_at == datetime.fromtimestamp(TIME // 1_000_000 - 1, UTC).replace(microsecond=999_999)
    positions = [recorded.position for recorded in (opened, deposited)]
    assert [(p.journal, p.shard, p.offset, p.index) for p in positions if p] == [
        (JOURNAL, shard, offset, 3),
        (JOURNAL, shard, offset, 4),
    ]


def test_an_old_event_is_heard_as_what_it_becomes(log: LogWriter, make: Make, database: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Paid(amounts=(1, 2, 3))), ("a:1", Paid(amounts=())))
    projector = make()
    projector.drain()
    assert rows(database, "balances") == [("a:1", "ann", 6, 3)]
    assert projector.handled == {"balances": 2}


def test_business_rejections_are_heard_and_the_engines_are_not(log: LogWriter, make: Make, database: Path) -> None:
    log.frame(0, [log.rejected("a:1", code) for code in ("frozen", "wrong_version", "internal_error", "frozen")])
    make().drain()
    assert rows(database, "totals") == [("frozen", 2, 0)]


def test_invalid_records_have_no_effect_and_move_the_checkpoint(log: LogWriter, make: Make, database: Path) -> None:
    (offset,) = log.happened(("a:1", Opened(owner="ann")))
    shard = log.shard_of("a:1")
    value = next(iter(log.journal.read(shard, offset)))[1]
    log.append(shard, value)
    log.append(shard, b"hello")
    log.claim(shard)
    log.append(shard, value)
    log.happened(("a:1", Deposited(amount=5)))
    projector = make()
    projector.drain()
    assert rows(database, "balances") == [("a:1", "ann", 5, 1)]
    assert projector.lag()["balances"][shard] == Lag(7, 7)
    assert projector.behind() == 0


def test_projections_at_one_position_are_served_together_and_a_late_one_catches_up(
    log: LogWriter, make: Make, database: Path
) -> None:
    some_history(log)
    _, balances = bank()
    other = Projection("others", rows=[Opening])
    other.on(put_opened)
    make(balances).drain()
    both = make(balances, other, limits=Limits(batch_frames_max=7))
    both.drain()
    assert len(rows(database, "openings")) == 20
    log.happened(("z:1", Opened(owner="zoe")))
    assert both.step() == 1
    assert len(rows(database, "openings")) == 21
    assert len(rows(database, "balances")) == 17


def test_several_shards_increment_one_row(log: LogWriter, make: Make, database: Path) -> None:
    ids = [f"l{n}:a" for n in range(40)]
    assert {log.shard_of(id) for id in ids} == set(range(SHARDS))
    for id in ids:
        log.happened((id, Deposited(amount=2)))
    make(counters(), limits=Limits(batch_frames_max=6), check=True).drain()
    assert rows(database, "totals") == [("deposited", 40, 80)]


def test_a_row_put_from_two_routing_keys_is_refused_where_that_is_checked(log: LogWriter, make: Make) -> None:
    application, _ = bank()
    mixed = Projection("mixed", rows=[Total])

    @mixed.on
    def last(event: Deposited, recorded: Recorded) -> Changes:
        return update(Total, "last", amount=event.amount)

    log.happened(("a:1", Deposited(amount=1)), ("a:2", Deposited(amount=1)))
    projector = make(mixed, application=application, check=True)
    projector.drain()
    log.happened(("b:1", Deposited(amount=1)))
    with pytest.raises(RowShared, match=r"row Total\('last',\) is written from two routing keys, 'a' and 'b'"):
        projector.drain()


def test_a_row_incremented_from_one_routing_key_and_put_from_another_is_refused(log: LogWriter, make: Make) -> None:
    application, _ = bank()
    mixed = Projection("mixed", rows=[Total])

    @mixed.on
    def either(event: Deposited, recorded: Recorded) -> Changes:
        return increment(Total, "x", events=1) if recorded.id == "a:1" else put(Total(kind="x"))

    log.happened(("a:1", Deposited(amount=1)), ("b:1", Deposited(amount=1)))
    with pytest.raises(RowShared, match="'a' and 'b'"):
        make(mixed, application=application, check=True).drain()


# what stops


def test_of_two_projectors_at_once_one_is_refused_and_the_rows_are_right(
    log: LogWriter, make: Make, database: Path
) -> None:
    first, second = make(), make()
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    first.step()
    with pytest.raises(CheckpointMoved, match="another worker has moved it"):
        second.step()
    log.happened(("a:1", Deposited(amount=6)))
    first.step()
    assert rows(database, "balances") == [("a:1", "ann", 11, 2)]


def test_two_projections_of_one_table_are_refused(make: Make) -> None:
    application, balances = bank()
    with pytest.raises(ConfigurationError, match="'balances' and 'counters' both keep table 'totals'"):
        make(balances, counters(), application=application)


def test_a_rebuild_gives_the_same_rows(log: LogWriter, make: Make, database: Path) -> None:
    some_history(log)
    projector = make(limits=Limits(batch_frames_max=5))
    projector.drain()
    before = rows(database, "balances"), rows(database, "totals")
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("UPDATE totals_v1 SET amount = 0")
    connection.execute("ALTER TABLE balances_v1 ADD COLUMN added_by_hand TEXT")
    connection.close()
    projector.rebuild("balances")
    assert (rows(database, "balances"), rows(database, "totals")) == before
    assert projector.step() == 0


def test_a_rebuild_leaves_another_projections_table_alone(log: LogWriter, make: Make, database: Path) -> None:
    log.happened(("a:1", Deposited(amount=5)))
    make(counters("first")).drain()
    thief = make(counters("second"))
    with pytest.raises(TableMismatch, match="'first' shows already"):
        thief.rebuild("second")
    with pytest.raises(TableMismatch):
        thief.resume("second")
    with pytest.raises(TableMismatch):
        thief.step()
    assert rows(database, "totals") == [("deposited", 1, 5)]


def test_a_rebuild_of_what_is_not_served_is_refused(make: Make) -> None:
    with pytest.raises(KeyError, match="'nope' is not served"):
        make().rebuild("nope")
