"""Tables of a projection as they were, in a place of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shardlog.adapters.sql.scratch import SqliteScratch
from shardlog.archive.stitching import StitchedJournal
from shardlog.errors import ConfigurationError
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.ports.archive import Archive
from shardlog.ports.projections import DeadLetter
from shardlog.ports.rows import table_shape
from shardlog.ports.scratch import Scratch
from shardlog.ports.tables import Tables
from shardlog.projector.as_of import build_as_of, part_of, whole_end
from shardlog.projector.choosing import serving
from shardlog.projector.core import Source
from shardlog.projector.cut import AsOf
from shardlog.wiring.reading import open_journal
from shardlog.wiring.settings import Settings
from shardlog.wiring.stores import ProjectionDatabase


class AsItWas(NamedTuple):
    """handled: events and rejections that the projection heard, of so many records. dead_letters: passed over."""

    tables: Tables
    handled: int
    records: int
    dead_letters: int


class Watch(NamedTuple):
    """Is told how far it is. looked: records looked through, of so many. built: records built from, of so many."""

    looked: Callable[[int, int], object] = lambda done, total: None
    built: Callable[[int, int], object] = lambda done, total: None


def open_scratch(database: str | None, place: str | Path | None) -> Scratch:
    """A place to build in. database: a PostgreSQL URL, None for SQLite. place: the name of its schema, or the file.

    Raises ConfigurationError for a URL of another database or with a password, and as the scratch places do.
    """
    if database is None:
        return SqliteScratch(None if place is None else Path(place))
    from sqlalchemy.engine import make_url

    target = make_url(database)
    if target.get_backend_name() != "postgresql":
        raise ConfigurationError(f"a database to build in is PostgreSQL, and this is {target!r}: for SQLite name none")
    if target.password:
        raise ConfigurationError(
            f"the URL {target!r} has a password, which others see in the list of processes: leave it to PGPASSWORD, or "
            "to a password file of libpq's (PGPASSFILE)"
        )
    try:
        from shardlog.adapters.postgresql.scratch import PostgresqlScratch
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"there is no module {error.name!r}: pip install 'shardlog[postgresql]'") from error

    return PostgresqlScratch(database, None if place is None else str(place))


def build(
    settings: Settings,
    application: Application,
    name: str,
    as_of: AsOf,
    scratch: Scratch,
    watch: Watch = Watch(),  # noqa: B008  # immutable
    archive: Archive | None = None,
) -> AsItWas:
    """Build the tables of a projection in a scratch place, from the journal that settings name.

    archive: what the journal's beginning is read from where it is cut off. Raises HistoryMissing where it is, without
    one; HandlerFailed, naming the event; InvalidToken; KeyError for no such projection; what stops a reader or a store.
    """
    projection = application.projections[name]
    with open_journal(settings.directory, settings.kafka) as opened:
        source = Source(opened.meta.journal, opened.meta.shards)
        journal = opened.journal if archive is None else StitchedJournal(opened.journal, archive)
        total = sum(whole_end(journal, shard) for shard in range(source.shards))
        done = 0

        def passed(_offset: int) -> None:
            nonlocal done
            done += 1
            watch.looked(done, total)

        part = part_of(as_of, journal, source, passed)
        letters = _dead_letters(settings, projection)
        handled = build_as_of(
            part,
            journal,
            source,
            application,
            projection,
            scratch.store,
            letters,
            settings.projector,
            lambda records: watch.built(records, part.records),
        )
    return AsItWas(scratch.finished(), handled, part.records, len(letters))


def table_selects(projection: Projection) -> dict[str, str]:
    """By name of the projection's views, the SELECT of all its rows; those of tables are in the order of their keys."""
    selects: dict[str, str] = {}
    for row in projection.rows:
        shape = table_shape(row)
        keys = ", ".join(f'"{key}"' for key in shape.keys)
        selects[shape.name] = f'SELECT * FROM "{shape.name}" ORDER BY {keys}'  # noqa: S608  # names of fields and of row classes
    for join in projection.views:
        selects[join.name] = f'SELECT * FROM "{join.name}"'  # noqa: S608  # as above
    return selects


def _dead_letters(settings: Settings, projection: Projection) -> list[DeadLetter]:
    database = ProjectionDatabase.of(settings)
    if not database.exists:
        return []
    store = database.open_store()
    try:
        served = serving(store.builds.records(projection.name), projection.name)
        return [] if served is None else store.dead_letters(served.key)
    finally:
        store.close()
