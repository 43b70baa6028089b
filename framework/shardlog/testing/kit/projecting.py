"""A projection in a test: its handlers run over a journal, its rows kept in dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import msgspec

from shardlog.errors import DomainError
from shardlog.model.changes import Add, Change, Changes, Increment, Put, Remove, Update, as_changes
from shardlog.model.messages import Recorded, Row
from shardlog.model.names import where
from shardlog.model.projection import Projection
from shardlog.model.rows import row_defaults, row_key
from shardlog.model.upcasting import upcast
from shardlog.testing.kit.given import History
from shardlog.testing.kit.purity import Kind, purely
from shardlog.testing.kit.round_trip import round_trip
from shardlog.testing.kit.row_integers import check_said, check_sums
from shardlog.testing.kit.row_writers import RowWriters
from shardlog.testing.kit.world import AnyStream, Happened, Refused, World

__tracebackhide__ = True

Key = tuple[object, ...]


class Projected:
    """The rows of a projection after a journal.

    heard: the categories whose rejections reach it. checks_writers: whether a row that is written from two routing keys
    by anything but `increment` raises DomainError.
    """

    def __init__(
        self,
        projection: Projection,
        journal: Sequence[Happened | Refused],
        heard: Container[str],
        checks_writers: bool = True,
    ) -> None:
        if projection.batch_handlers:
            raise DomainError(
                f"projection {projection.name!r} has handlers of batches, which write with SQL, and the kit keeps rows "
                "in dictionaries: test it with project_sql of shardlog.testing.sql"
            )
        self._projection = projection
        self._rows: dict[type[Row], dict[Key, Row]] = {row: {} for row in projection.rows}
        self._missed: list[str] = []
        self._writers = RowWriters(projection.name) if checks_writers else None
        for fact in journal:
            if isinstance(fact, Happened):
                self._hear_event(fact)
            elif fact.stream.aggregate.category in heard:
                self._hear_rejection(fact)

    def rows(self, row_type: type[Row]) -> list[Row]:
        """The rows of one table. Raises DomainError for a row type that is not the projection's."""
        self._must_be_declared(row_type)
        return list(self._rows[row_type].values())

    def then_rows(self, *rows: Row) -> Projected:
        """All rows of all tables of the projection, in any order."""
        actual = sorted(repr(row) for table in self._rows.values() for row in table.values())
        expected = sorted(map(repr, rows))
        missed = "".join(f"\n  {note}" for note in self._missed)
        assert actual == expected, f"\n  expected {expected}\n  got      {actual}{missed}"
        return self

    def _hear_event(self, fact: Happened) -> None:
        for event in upcast(fact.stream.aggregate, fact.event):
            handler = self._projection.handlers.get(type(event))
            if handler is not None:
                self._apply(handler, event, fact.recorded, fact.stream)

    def _hear_rejection(self, fact: Refused) -> None:
        handler = self._projection.rejection_handler
        if handler is not None:
            self._apply(handler, fact.rejection, fact.recorded, fact.stream)

    def _apply(self, handler: Callable[..., Changes], heard: object, recorded: Recorded, source: AnyStream) -> None:
        for change in as_changes(purely(Kind.PROJECTION, handler, heard, recorded)):
            row_type = type(change.row) if isinstance(change, Put) else change.row_type
            self._must_be_declared(row_type)
            key = _key_of(change.row) if isinstance(change, Put) else change.key
            if self._writers is not None:
                self._writers.note(row_type, key, change, source)
            if isinstance(change, Update) and key not in self._rows[row_type]:
                self._missed.append(
                    f"{where(handler)} changed nothing: there was no {row_type.__name__}{key} to update. "
                    "`put` it first, or use `increment`, which inserts."
                )
            check_said(row_type, key, change, handler)
            self._write(self._rows[row_type], row_type, key, change)
            if key in self._rows[row_type]:
                check_sums(self._rows[row_type][key], handler)

    def _must_be_declared(self, row_type: type[Row]) -> None:
        if row_type not in self._rows:
            raise DomainError(f"{row_type.__name__}: {self._projection.why_undeclared(row_type)}")

    def _write(self, table: dict[Key, Row], row_type: type[Row], key: Key, change: Change) -> None:
        row = table.get(key)
        if isinstance(change, Put):
            table[key] = round_trip(change.row)
        elif isinstance(change, Remove):
            table.pop(key, None)
        elif isinstance(change, Increment):
            base = row or row_type(**{**dict(zip(row_key(row_type), key, strict=True)), **row_defaults(row_type)})
            table[key] = _changed(base, {name: Add(amount) for name, amount in change.values.items()})
        elif isinstance(change, Update) and row is not None:
            table[key] = _changed(row, dict(change.values))


def project(projection: Projection, *histories: History, checks_writers: bool = True) -> Projected:
    """Run the projection over these histories, one after the other.

    checks_writers: False lets rows be written from several routing keys, as a projection over one shard may.
    """
    world = World()
    for history in histories:
        world.record_past(history.stream, history.events)
    return Projected(projection, world.journal, projection.rejections, checks_writers)


def _key_of(row: Row) -> Key:
    return tuple(getattr(row, name) for name in row_key(type(row)))


def _changed(row: Row, values: dict[str, object]) -> Row:
    new = {n: getattr(row, n) + value.amount if isinstance(value, Add) else value for n, value in values.items()}
    return round_trip(msgspec.structs.replace(row, **new))
