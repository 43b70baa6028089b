"""Tables as they were are those that a live projector had when it had read so far."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.postgresql.scratch import PostgresqlScratch
from shardlog.adapters.postgresql.select_only import PostgresqlTables
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.scratch import SqliteScratch
from shardlog.adapters.sql.select_only import SqliteTables
from shardlog.archive.stitching import StitchedJournal
from shardlog.errors import HandlerFailed, HistoryMissing, InvalidToken, ProjectionError
from shardlog.model.recorded import Position
from shardlog.ports.builds import BuildKey
from shardlog.ports.journal import Journal
from shardlog.ports.projections import DeadLetter, ProjectionStore
from shardlog.ports.scratch import Scratch
from shardlog.ports.tables import Tables
from shardlog.projector.as_of import CutJournal, build_as_of, part_of
from shardlog.projector.core import Source
from shardlog.projector.cut import AsOf, Occurred, Recorded, parse_as_of
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.wiring.as_of import table_selects
from tests.unit.projector.bank import Broken, Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.projector.pasts import FROM, SHARDS, Frame, Past, pasts
from tests.unit.snapshots.archived import MemoryArchive

SOURCE = Source(JOURNAL, SHARDS)
LIMITS = Limits(batch_frames_max=3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rows = Mapping[str, Sequence[tuple[object, ...]]]
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Database:
    """Where tables are kept in one example, and where they are built: both alike."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._folder = tempfile.TemporaryDirectory()
        self._schemas = [f"test_{uuid.uuid4().hex[:12]}" for _ in range(2)]

    def live(self) -> tuple[ProjectionStore, Tables]:
        if self._url is not None:
            store = PostgresqlProjectionStore(self._url, schema=self._schemas[0])
            return store, PostgresqlTables(self._url, self._schemas[0])
        path = Path(self._folder.name) / "live.sqlite"
        return SqlProjectionStore(path), SqliteTables(path)

    def scratch(self) -> Scratch:
        return SqliteScratch(None) if self._url is None else PostgresqlScratch(self._url, None)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        if self._url is not None:
            with psycopg.connect(self._url, autocommit=True) as connection:
                for schema in self._schemas:
                    connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """None for SQLite."""
    return str(request.getfixturevalue("postgresql")) if request.param == "postgresql" else None


def rows(tables: Tables) -> Rows:
    """All rows of the bank's tables."""
    found = {}
    for name, sql in table_selects(bank()[1]).items():
        with tables.select(sql) as selected:
            found[name] = list(selected.rows)
    return found


def lived(past: Past, database: Database) -> Rows:
    """What a live projector has once it has read all of a journal."""
    application, balances = bank()
    store, tables = database.live()
    Projector(past.write().journal, JOURNAL, SHARDS, application, [balances], store, LIMITS).drain()
    store.close()
    return rows(tables)


def built(
    as_of: AsOf,
    journal: Journal,
    scratch: Scratch,
    letters: Sequence[DeadLetter] = (),
    broken: Broken | None = None,
) -> Rows:
    """The tables as they were, looked at, and the place cleared."""
    application, balances = bank(broken)
    try:
        part = part_of(as_of, journal, SOURCE)
        build_as_of(part, journal, SOURCE, application, balances, scratch.store, letters, LIMITS)
        return rows(scratch.finished())
    finally:
        scratch.close()


def at(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


# -- what belongs ------------------------------------------------------------------------------------------------------
@given(past=pasts(), data=st.data())
@few
def test_as_of_a_recorded_time_is_what_a_projector_had_that_had_read_so_far(
    past: Past, data: st.DataObject, url: str | None
) -> None:
    times = [time for _, time in past.frames]
    time = data.draw(st.sampled_from(times)) + data.draw(st.sampled_from([-1, 0, 1]))
    until = Past(tuple((frame, recorded) for frame, recorded in past.frames if recorded <= time))
    with Database(url) as database:
        assert built(Recorded(at(time)), past.write().journal, database.scratch()) == lived(until, database)


@given(past=pasts(), data=st.data())
@few
def test_as_of_a_token_is_exact_in_its_shard_and_of_the_others_what_was_recorded_by_then(
    past: Past, data: st.DataObject, url: str | None
) -> None:
    place = data.draw(st.integers(0, len(past.frames) - 1))
    frame, _ = past.frames[place]
    entry = data.draw(st.integers(0, len(frame.entries) - 1))
    of_entry = [1 if e.refused else max(1, len(e.events)) for e in frame.entries]
    index = sum(of_entry[:entry]) + data.draw(st.integers(0, of_entry[entry] - 1))
    offset = sum(1 + f.ghosts for f, _ in past.frames[: place + 1] if f.shard == frame.shard)  # behind a claim
    with Database(url) as database:
        token = Position(JOURNAL, frame.shard, offset, index)
        expected = lived(until_entry(past, place, entry), database)
        assert built(token, past.write().journal, database.scratch()) == expected


def until_entry(past: Past, place: int, entry: int) -> Past:
    """The frames before, that frame up to the entry, and what other shards recorded at the same time."""
    frame, time = past.frames[place]
    ended = frame._replace(entries=frame.entries[: entry + 1])
    kept: list[tuple[Frame, int]] = []
    for number, (other, recorded) in enumerate(past.frames):
        if number == place:
            kept.append((ended, time))
        elif recorded <= time and (other.shard != frame.shard or number < place):
            kept.append((other, recorded))
    return Past(tuple(kept))


@given(past=pasts(), moment=st.integers(0, 31))
@few
def test_as_of_an_occurrence_is_what_a_projector_has_of_those_commands_alone(
    past: Past, moment: int, url: str | None
) -> None:
    time = FROM + 2_000_000 * moment
    until = Past(
        tuple(
            (frame._replace(entries=tuple(e for e in frame.entries if (e.occurred or recorded) <= time)), recorded)
            for frame, recorded in past.frames
        )
    )
    with Database(url) as database:
        assert built(Occurred(at(time)), past.write().journal, database.scratch()) == lived(until, database)


# -- what is refused ---------------------------------------------------------------------------------------------------
@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


def happened(log: LogWriter, *amounts: int) -> list[int]:
    """An account that is opened and gets these amounts, a frame each."""
    (first,) = log.happened(("l1:ann", Opened(owner="ann")))
    return [first, *(log.happened(("l1:ann", Deposited(amount=amount)))[0] for amount in amounts)]


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a12.0.1.0", "another journal"),
        (f"{JOURNAL}.3.1.0", "there are 3"),
        (f"{JOURNAL}.0.0.0", "no event and no rejection"),
        (f"{JOURNAL}.0.99.0", "no event and no rejection"),
        (f"{JOURNAL}.{{shard}}.1.7", "no event and no rejection"),
    ],
)
def test_a_token_that_names_nothing_is_refused(log: LogWriter, token: str, why: str) -> None:
    happened(log)
    position = Position.parse(token.format(shard=log.shard_of("l1:ann")))
    with pytest.raises(InvalidToken, match=why):
        part_of(position, log.journal, SOURCE)


def test_a_handler_that_raises_stops_it_and_names_the_event(log: LogWriter) -> None:
    *_, offset = happened(log, 13)
    broken = Broken()
    broken.raises_for = {13}
    with pytest.raises(HandlerFailed) as failed:
        built(Recorded(at(log.time)), log.journal, SqliteScratch(None), broken=broken)
    assert "the tables as they were cannot be built" in str(failed.value)
    assert f"account/l1:ann version 2, position {JOURNAL}.{log.shard_of('l1:ann')}.{offset}.0" in str(failed.value)
    assert "an amount of 13" in str(failed.value)


def test_what_comes_later_may_fail_as_it_likes(log: LogWriter) -> None:
    happened(log, 5, 13)
    broken = Broken()
    broken.raises_for = {13}
    found = built(Recorded(at(log.time - 1)), log.journal, SqliteScratch(None), broken=broken)
    assert found["balances"] == [("l1:ann", "ann", 5, 1)]


@pytest.mark.parametrize("skips", [False, True], ids=["parked", "skipped"])
def test_dead_letters_are_passed_over_as_by_a_rebuild(log: LogWriter, tmp_path: Path, skips: bool) -> None:
    """And a time before them is not touched by them."""
    happened(log, 5, 13, 6)
    broken = Broken()
    broken.raises_for = {13}
    application, balances = bank(broken)
    store = SqlProjectionStore(tmp_path / "live.sqlite")
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [balances], store, LIMITS)
    projector.drain()
    if skips:
        projector.dead_letters("balances").skip(projector.dead_letters("balances").letters()[0].position)
    letters = store.dead_letters(BuildKey("balances", 1, 1))
    projector.rebuild("balances")
    store.close()
    live = rows(SqliteTables(tmp_path / "live.sqlite"))
    assert [letter.state for letter in letters] == ["skipped" if skips else "failed", "parked"]
    assert live["balances"] == [("l1:ann", "ann", 5, 1)]
    assert built(Recorded(at(log.time)), log.journal, SqliteScratch(None), letters, broken) == live
    before = built(Recorded(at(log.time - 2_000)), log.journal, SqliteScratch(None), letters, broken)
    assert before == live


def test_a_beginning_that_is_cut_off_is_refused_and_read_from_an_archive(log: LogWriter) -> None:
    offsets = happened(log, 5, 6)
    shard = log.shard_of("l1:ann")
    whole = {shard: list(log.journal.read(shard, 0)) for shard in range(SHARDS)}
    expected = built(Recorded(at(log.time)), log.journal, SqliteScratch(None))
    log.journal.truncate(shard, offsets[-1])
    with pytest.raises(HistoryMissing, match=f"begins at offset {offsets[-1]}.*archive.*backup"):
        part_of(Recorded(at(log.time)), log.journal, SOURCE)
    stitched = StitchedJournal(log.journal, MemoryArchive(whole))
    assert built(Recorded(at(log.time)), stitched, SqliteScratch(None)) == expected


def test_a_journal_as_it_was_takes_nothing_new(log: LogWriter) -> None:
    journal = CutJournal(log.journal, dict.fromkeys(range(SHARDS), 1))
    for change in (lambda: journal.writer(0), lambda: journal.truncate(0, 1)):
        with pytest.raises(ProjectionError, match="only read"):
            change()


# -- scratch places ----------------------------------------------------------------------------------------------------
def test_no_projector_goes_on_from_tables_as_they_were(log: LogWriter, tmp_path: Path) -> None:
    happened(log, 5)
    application, balances = bank()
    scratch = SqliteScratch(tmp_path / "kept.sqlite")
    part = part_of(Recorded(at(log.time)), log.journal, SOURCE)
    build_as_of(part, log.journal, SOURCE, application, balances, scratch.store, [], LIMITS)
    scratch.finished()
    scratch.close()
    store = SqlProjectionStore(tmp_path / "kept.sqlite")
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [balances], store, LIMITS)
    assert "there is one that no projection made" in str(projector.stopped["balances"])
    store.close()


@pytest.mark.parametrize("is_finished", [True, False])
def test_what_is_named_stays_once_it_is_finished_alone(tmp_path: Path, is_finished: bool) -> None:
    path = tmp_path / "kept.sqlite"
    scratch = SqliteScratch(path)
    if is_finished:
        scratch.finished()
    scratch.close()
    scratch.close()
    assert path.exists() is is_finished
    assert len(list(tmp_path.iterdir())) == is_finished


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00.000000+01:00", f"{JOURNAL}.0.1.2", "occurred:2026-03-01T12:00Z"],
)
def test_an_as_of_is_a_time_a_token_or_an_occurrence(text: str) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parse_as_of(text) in (Recorded(noon), Position(JOURNAL, 0, 1, 2), Occurred(noon))


@pytest.mark.parametrize("text", ["17", "yesterday", "2026-03-01", "occurred:", "occurred:2026-03-01", "a.b.c.d"])
def test_an_as_of_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"token|no time zone"):
        parse_as_of(text)
