"""A log or a checkpoint that does not fit stops a projection in front of it, and the others go on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shardlog import (
    Aggregate,
    Application,
    Changes,
    Domain,
    Event,
    Projection,
    Recorded,
    put,
)
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import Diverged, RowShared, UnknownFormat
from shardlog.projector.runner import Projector
from tests.unit.projector.bank import (
    Account,
    Deposited,
    Noted,
    Opened,
    Total,
    bank,
)
from tests.unit.projector.histories import SHARDS, Last, Make, Opening, put_opened, rows
from tests.unit.projector.log import JOURNAL, LogWriter


def test_a_checkpoint_of_another_journal_is_refused(log: LogWriter, make: Make, database: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    make().drain()
    application, balances = bank()
    store = SqlProjectionStore(database)
    other = Projector(log.journal, "1" + JOURNAL[1:], SHARDS, application, [balances], store)
    with pytest.raises(Diverged, match="rebuild"):
        other.step()
    store.close()


def test_a_checkpoint_beyond_the_end_of_the_log_is_refused(log: LogWriter, make: Make, database: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    make().drain()
    application, balances = bank()
    store = SqlProjectionStore(database)
    with pytest.raises(Diverged, match=r"'balances' has read up to offset \d, and the log ends at 0.* rebuild"):
        Projector(MemoryJournal(SHARDS), JOURNAL, SHARDS, application, [balances], store).step()
    store.close()


def test_an_altered_history_is_refused_and_nothing_of_it_is_used(log: LogWriter, make: Make, database: Path) -> None:
    shard = log.shard_of("a:1")
    log.happened(("a:1", Opened(owner="ann")))
    make().drain()
    other = LogWriter(MemoryJournal(SHARDS), SHARDS)
    other.happened(("a:1", Opened(owner="eve")))
    other.happened(("a:1", Deposited(amount=5)))
    value = [value for _, value in other.journal.read(shard, 0)][2]
    log.journal.writer(shard).append(value, lambda _report: None)
    with pytest.raises(Diverged, match="diverged"):
        make().step()
    assert rows(database, "balances") == [("a:1", "ann", 0, 0)]


def test_a_frame_that_does_not_decode_stops_the_projection_before_it(
    log: LogWriter, make: Make, database: Path
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    (offset,) = log.happened(("a:1", Unknown(amount=1)))
    log.happened(("a:1", Deposited(amount=6)))
    projector = make()
    with pytest.raises(UnknownFormat, match=rf"offset {offset}: account/a:1 version 3 is a 'account/unknown/1'"):
        projector.step()
    assert rows(database, "balances") == [("a:1", "ann", 5, 1)]
    with pytest.raises(UnknownFormat):
        make().step()
    assert rows(database, "balances") == [("a:1", "ann", 5, 1)]


def test_frames_that_do_not_decode_in_several_shards_stop_a_projection_behind_all_that_do(
    log: LogWriter, make: Make, database: Path
) -> None:
    ids = [f"l{n}:a" for n in range(40)]
    for id in ids:
        log.happened((id, Opened(owner="ann")))
    for id in ids[:20]:
        log.happened((id, Unknown(amount=1)))
    log.happened(*[(id, Deposited(amount=5)) for id in ids])
    with pytest.raises(UnknownFormat):
        make().step()
    assert rows(database, "balances") == sorted((id, "ann", 0, 0) for id in ids)


def test_what_a_stopped_projection_cannot_write_before_a_frame_that_does_not_decode_is_why_it_stopped(
    log: LogWriter, make: Make
) -> None:
    application, _ = bank()
    mixed = Projection("mixed", rows=[Total])
    mixed.on(put_total)
    log.happened(("a:1", Deposited(amount=1)), ("b:1", Deposited(amount=1)))
    log.happened(("a:1", Unknown(amount=1)), ("b:1", Unknown(amount=1)))
    with pytest.raises(RowShared):
        make(mixed, application=application, check=True).step()


def happened_as(log: LogWriter, kind: Event, data: bytes) -> None:
    """An event of this kind, with these data."""
    event = msgspec.structs.replace(log.event("a:1", kind), data=msgspec.Raw(data))
    log.frame(log.shard_of("a:1"), [msgspec.structs.replace(log.accepted("a:1"), events=[event])])


def test_an_event_that_is_not_as_its_class_says_stops_those_who_hear_it_and_nobody_else(
    log: LogWriter, make: Make, database: Path
) -> None:
    application, balances = bank()
    log.happened(("a:1", Opened(owner="ann")))
    happened_as(log, Deposited(amount=5), b'{"amount":"five"}')
    log.happened(("a:2", Opened(owner="bob")))
    projector = make(openings(), balances, application=application)
    projector.drain()
    assert list(projector.stopped) == ["balances"]
    said = str(projector.stopped["balances"])
    assert "account/a:1 version 2 is a 'account/deposited/1'" in said
    assert "Deposited: Expected `int`, got `str` - at `$.amount`" in said
    assert "newer code" in said
    assert "upcaster" in said
    assert rows(database, "balances") == [("a:1", "ann", 0, 0)]
    assert [row[0] for row in rows(database, "openings")] == ["a:1", "a:2"]


@pytest.mark.parametrize("data", [b'{"owner":"\xff"}', b'{"owner":"","x":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_a_frame_that_is_no_text_or_nested_too_deep_stops_the_projection_before_it(
    log: LogWriter, make: Make, database: Path, data: bytes
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    happened_as(log, Opened(owner=""), data)
    with pytest.raises(UnknownFormat, match="does not decode"):
        make().drain()
    assert rows(database, "balances") == [("a:1", "ann", 0, 0)]


def test_a_stopped_projection_goes_on_when_the_code_knows_the_event(log: LogWriter, make: Make, database: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    log.happened(("a:1", Noted(text="x")))
    narrow = Aggregate("account", initial=Account(), routing_parts=1)
    narrow.ignores(Opened, Deposited)
    with pytest.raises(UnknownFormat, match=r"'account/noted/1', for which this application has no class"):
        make(openings(), application=Application([Domain("bank", aggregates=[narrow])], [openings()])).drain()
    make(openings()).drain()
    assert rows(database, "openings") == [("a:1", "ann")]


class Unknown(Event, name="unknown"):
    """What another release wrote."""

    amount: int


def openings() -> Projection:
    projection = Projection("openings", rows=[Opening])
    projection.on(put_opened)
    return projection


def put_total(event: Deposited, recorded: Recorded) -> Changes:
    return put(Total(kind="x"))


def test_one_projection_that_stops_does_not_hold_the_others(log: LogWriter, make: Make, database: Path) -> None:
    application, balances = bank()
    mixed = Projection("mixed", rows=[Last])

    @mixed.on
    def last(event: Deposited, recorded: Recorded) -> Changes:
        return put(Last(kind="x"))

    projector = make(mixed, balances, application=application, check=True)
    log.happened(("a:1", Opened(owner="ann")), ("b:1", Opened(owner="bob")), ("a:1", Deposited(amount=5)))
    log.happened(("b:1", Deposited(amount=5)))
    projector.drain()
    assert list(projector.stopped) == ["mixed"]
    assert isinstance(projector.stopped["mixed"], RowShared)
    assert rows(database, "balances") == [("a:1", "ann", 5, 1), ("b:1", "bob", 5, 1)]
