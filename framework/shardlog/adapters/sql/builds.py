"""Builds in SQL: tables are made, shown by views, and dropped, each in one transaction with the record of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import TypeAlias, get_args

from sqlalchemy import Connection, RowMapping, delete, insert, literal, select, update
from sqlalchemy.schema import DropTable

from shardlog.adapters.sql import owners
from shardlog.adapters.sql.dialects.choosing import commits_ddl
from shardlog.adapters.sql.faults import mapped
from shardlog.adapters.sql.joins import create_join, drop_joins, join_name, join_view
from shardlog.adapters.sql.tables import (
    BUILDS,
    CHECKPOINTS,
    DEAD_LETTERS,
    OWNERS,
    REBUILDS,
    of_build,
    row_table,
    view_name,
)
from shardlog.adapters.sql.values import time_text
from shardlog.adapters.sql.views import ViewWriter
from shardlog.errors import BuildBehind, BuildRefused, RowsRefused, StoreFailed, sentence
from shardlog.model.handler_code import handlers_digest
from shardlog.ports.builds import Build, BuildKey, BuildRecord, Builds, BuildState
from shardlog.ports.projections import LetterState, takes_over

Transaction: TypeAlias = Callable[[], AbstractContextManager[Connection]]
_COPIED = ("attempt", "begun_at", "switched_at", "stopped", "stopped_at", "passed_over", "handlers")


class SqlBuilds(Builds):
    """The builds of one database. transaction: to write, one at a time over all processes. moment: to read."""

    def __init__(self, transaction: Transaction, moment: Transaction, views: ViewWriter) -> None:
        self._transaction = transaction
        self._moment = moment
        self._views = views

    def records(self, projection: str | None = None) -> Sequence[BuildRecord]:
        with _mapped("listing builds"), self._moment() as connection:
            return _records(connection, projection)

    def begin(self, build: Build, rebuild_to: Mapping[int, int]) -> BuildRecord:
        key = build.key
        with _mapped(f"beginning build {key.label}"), self._transaction() as connection:
            there = _records(connection, key.projection)
            found = next((record for record in there if record.key == key), None)
            if found is not None:
                return found
            tables = [(row_table(build, row), view_name(build, row)) for row in build.projection.rows]
            joins = [(join_view(build, join), join_name(build, join)) for join in build.projection.views]
            for table, view in (*tables, *joins):
                owners.own(connection, build, table, view)
            drop_joins(connection, [view for view, _ in joins])
            for table, _ in tables:
                connection.execute(DropTable(table, if_exists=True))  # what a beginning that was cut short has left
                table.create(connection)
            for join in build.projection.views:
                create_join(connection, build, join)
            serving = next((record.key for record in there if record.state == "serving"), None)
            record = BuildRecord(
                key=key,
                state="serving" if serving is None else "building",
                begun_at=_now(),
                handlers=handlers_digest(build.projection),
            )
            if serving is None:
                self._show(connection, key)
            _insert(connection, record, rebuild_to)  # behind all DDL, which not every database takes back
            if serving is not None:
                _copy_letters(connection, serving, build)
            return record

    def switch(self, key: BuildKey, ends: Mapping[int, int], *, behind_max: int | None = 0) -> None:
        with _mapped(f"switching to build {key.label}"), self._transaction() as connection:
            found = _found(connection, key)
            if found.state == "serving":
                return
            _check_reach(connection, key, ends, behind_max)
            self._show(connection, key)
            of_name = BUILDS.c.projection == key.projection
            serves = (of_name, BUILDS.c.state == "serving")
            is_paused = found.is_paused or any(connection.execute(select(BUILDS.c.paused).where(*serves)).scalars())
            connection.execute(update(BUILDS).where(*serves).values(state="retired", paused=False))
            _change(connection, key, state="serving", switched_at=_now(), stopped="", stopped_at="", paused=is_paused)

    def drop(self, key: BuildKey) -> None:
        with _mapped(f"dropping build {key.label}"), self._transaction() as connection:
            if _found(connection, key).state == "serving":
                raise BuildRefused(
                    f"build {key.label} serves projection {key.projection!r}, and is not dropped: switch to another "
                    "one first"
                )
            if commits_ddl(connection):  # a switch that was cut short may have left views of this build
                self._show_serving(connection, key.projection)
            for table in drop_joins(connection, owners.tables(connection, key)):
                connection.execute(DropTable(table, if_exists=True))
            for internal in (OWNERS, CHECKPOINTS, DEAD_LETTERS, REBUILDS, BUILDS):
                connection.execute(delete(internal).where(of_build(internal, key)))

    def pause(self, key: BuildKey, *, is_paused: bool) -> None:
        with _mapped(f"pausing build {key.label}"), self._transaction() as connection:
            _found(connection, key)
            _change(connection, key, paused=is_paused)

    def resume(self, key: BuildKey) -> None:
        with _mapped(f"resuming build {key.label}"), self._transaction() as connection:
            attempt = _found(connection, key).attempt + 1
            _change(connection, key, attempt=attempt, stopped="", stopped_at="")

    def note_stopped(self, key: BuildKey, why: str) -> None:
        with _mapped(f"noting what stopped build {key.label}"), self._transaction() as connection:
            _found(connection, key)
            _change(connection, key, stopped=why, stopped_at=_now())

    def _show_serving(self, connection: Connection, projection: str) -> None:
        for record in _records(connection, projection):
            if record.state == "serving":
                self._show(connection, record.key)

    def _show(self, connection: Connection, key: BuildKey) -> None:
        """Let the projection's views show this build; those that it has no table for are dropped."""
        views = owners.views(connection, key)
        for name in owners.view_names(connection, key.projection) - {view.name for view in views}:
            self._views.hide(connection, name)
        for view in views:
            self._views.show(connection, view)


@contextmanager
def _mapped(doing: str) -> Iterator[None]:
    """As `mapped`; no event is at fault here, so what is refused is the store's failure."""
    try:
        with mapped(doing):
            yield
    except RowsRefused as error:
        raise StoreFailed(
            f"{sentence(error)} Nothing was changed. Look at the database: trying again does not help."
        ) from error


def _records(connection: Connection, projection: str | None) -> list[BuildRecord]:
    columns = BUILDS.c
    wanted = select(BUILDS).order_by(columns.projection, columns.version, columns.build)
    if projection is not None:
        wanted = wanted.where(columns.projection == projection)
    return [_record(row) for row in connection.execute(wanted).mappings()]


def _record(row: RowMapping) -> BuildRecord:
    state: BuildState = row["state"]
    return BuildRecord(
        key=BuildKey(row["projection"], row["version"], row["build"]),
        state=state,
        is_paused=bool(row["paused"]),
        **{
            name: row[name]
            for name in ("attempt", "begun_at", "switched_at", "stopped", "stopped_at", "passed_over", "handlers")
        },
    )


def _found(connection: Connection, key: BuildKey) -> BuildRecord:
    records = _records(connection, key.projection)
    for record in records:
        if record.key == key:
            return record
    there = ", ".join(record.key.label for record in records) or "none"
    raise BuildRefused(f"there is no build {key.label}; of projection {key.projection!r} there are: {there}")


def _insert(connection: Connection, record: BuildRecord, rebuild_to: Mapping[int, int]) -> None:
    place = {"projection": record.key.projection, "version": record.key.version, "build": record.key.number}
    connection.execute(
        insert(BUILDS),
        {
            **place,
            "state": record.state,
            "paused": record.is_paused,
            "attempt": record.attempt,
            "begun_at": record.begun_at,
            "switched_at": record.begun_at if record.state == "serving" else "",
            "stopped": "",
            "stopped_at": "",
            "passed_over": "",
            "handlers": record.handlers,
        },
    )
    if rebuild_to:
        limits = [{**place, "shard": shard, "rebuild_to": limit} for shard, limit in sorted(rebuild_to.items())]
        connection.execute(insert(REBUILDS), limits)


def _change(connection: Connection, key: BuildKey, **values: object) -> None:
    connection.execute(update(BUILDS).where(of_build(BUILDS, key)).values(values))


def _copy_letters(connection: Connection, source: BuildKey, target: Build) -> None:
    """What is parked in the build that serves is parked in the one beside it."""
    changed = {"version": target.key.version, "build": target.number}
    states = [state for state in get_args(LetterState) if takes_over(target, state)]
    columns = [
        literal(changed[column.name], column.type) if column.name in changed else column for column in DEAD_LETTERS.c
    ]
    letters = select(*columns).where(of_build(DEAD_LETTERS, source), DEAD_LETTERS.c.state.in_(states))
    connection.execute(insert(DEAD_LETTERS).from_select([column.name for column in DEAD_LETTERS.c], letters))


def _check_reach(connection: Connection, key: BuildKey, ends: Mapping[int, int], behind_max: int | None) -> None:
    """Raises BuildBehind where the build lacks more records than it may."""
    held = CHECKPOINTS.c
    rows = connection.execute(select(held.shard, held.next).where(of_build(CHECKPOINTS, key))).all()
    read: dict[int, int] = {row.shard: row.next for row in rows}
    behind = {shard: end - read.get(shard, 0) for shard, end in ends.items() if read.get(shard, 0) < end}
    lacking = sum(behind.values())
    if behind_max is not None and lacking > behind_max:
        first = next(iter(sorted(behind)))
        raise BuildBehind(
            f"build {key.label} lacks {lacking} records ({behind[first]} of shard {first}), and {behind_max} is the "
            "most that it may lack: it is not switched to. Let it catch up, with a worker whose code has its version"
        )


def _now() -> str:
    return time_text(datetime.now(UTC))
