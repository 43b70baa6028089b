"""Projections of several threads decode a frame once, and none is held up by what another one does not know."""

from __future__ import annotations

import msgspec
import pytest

from shardlog import Application, Changes, Domain, Key, Projection, Recorded, Row, increment
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import UnknownFormat
from shardlog.journal.records import RawEvent
from shardlog.projector.core import Frame, Record, Source, pass_over
from shardlog.projector.heard import FrameReader
from shardlog.projector.shared_frames import FRAMES_MAX, SharedFrames
from tests.unit.projector.bank import Deposited, Opened, account
from tests.unit.projector.log import JOURNAL, LogWriter


class Opening(Row, name="openings"):
    owner: Key[str]
    n: int = 0


class Sum(Row, name="sums"):
    account: Key[str]
    n: int = 0


openings, sums = Projection("openings", rows=[Opening]), Projection("sums", rows=[Sum])


@openings.on
def opened(event: Opened, recorded: Recorded) -> Changes:
    return increment(Opening, event.owner, n=1)


@sums.on
def deposited(event: Deposited, recorded: Recorded) -> Changes:
    return increment(Sum, recorded.id, n=event.amount)


application = Application([Domain("bank", aggregates=[account])], [openings, sums])


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(1), 1)


@pytest.fixture
def shared() -> SharedFrames:
    return SharedFrames(application, [openings, sums], JOURNAL)


def alone(projection: Projection) -> FrameReader:
    return FrameReader(application, [projection], JOURNAL)


def frames(log: LogWriter) -> list[Frame]:
    return pass_over(Source(JOURNAL, 1), {}, [Record(0, *record) for record in log.journal.read(0, 0)]).frames


def test_who_follows_gets_what_the_first_has_decoded_and_then_it_is_forgotten(
    log: LogWriter, shared: SharedFrames
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=1)))
    (frame,) = frames(log)
    first = shared.read(*frame, alone(openings))
    assert [kind for kind, _, _ in first] == [Opened, Deposited]
    assert shared.read(*frame, alone(sums)) is first
    again = shared.read(*frame, alone(sums))
    assert again is not first
    assert [kind for kind, _, _ in again] == [Deposited]


def test_who_is_further_behind_than_what_is_kept_decodes_by_itself(log: LogWriter, shared: SharedFrames) -> None:
    for number in range(FRAMES_MAX + 1):
        log.happened((f"a:{number}", Deposited(amount=1)))
    found = frames(log)
    ahead = [shared.read(*frame, alone(openings)) for frame in found]
    behind = [shared.read(*frame, alone(sums)) for frame in found]
    assert behind == ahead
    assert [one is other for one, other in zip(behind, ahead, strict=True)] == [False] + [True] * FRAMES_MAX


def test_what_one_does_not_know_does_not_stop_another(log: LogWriter, shared: SharedFrames) -> None:
    strange = RawEvent("account/deposited/1", "a:1", 2, msgspec.Raw(b'{"amount":"much"}'))
    entry = log.accepted("a:1", Opened(owner="ann"))
    log.frame(0, [type(entry)(*msgspec.structs.astuple(entry)[:-2], [*entry.events, strange], [])])
    (frame,) = frames(log)
    assert [kind for kind, _, _ in shared.read(*frame, alone(openings))] == [Opened]
    with pytest.raises(UnknownFormat):
        shared.read(*frame, alone(sums))
