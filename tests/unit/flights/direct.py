"""Records of the feed through the domain's functions and the projection's handlers, with nothing between them.

No shards, frames or clocks: what comes out is what the rules say, whatever executes them.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from domain.flights import flights as domain
from projections.flights import flights as projection
from shardlog import Event, Projection, Recorded, RecordedRejection, Rejection, State
from shardlog.executor.requests import decode_record
from shardlog.model.changes import Increment, as_changes
from shardlog.model.rows import row_columns, row_key, table_name

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Direct:
    """States by stream, and the counters of every table by key."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], State] = {}
        self.counters: dict[str, dict[tuple[object, ...], Counter[str]]] = {}
        self.commands: Counter[tuple[str, str]] = Counter()

    def run(self, records: Iterable[bytes]) -> None:
        """Decide each record, evolve its stream, and count what it did."""
        for value in records:
            record = decode_record(value)
            self.commands[record.category, record.command] += 1
            aggregate = domain.aggregates[record.category]
            command = msgspec.json.decode(record.payload, type=aggregate.commands_by_name[record.command])
            recorded = Recorded(category=record.category, id=record.id, version=1, time=EPOCH, occurred_at=EPOCH)
            stream = record.category, record.id
            initial: State = aggregate.initial
            state = self.states.get(stream, initial)
            try:
                decided: Any = aggregate.decisions[type(command)].function(state, command)
            except Rejection as refused:
                self._count_rejection(record.command, refused, recorded)
                continue
            for event in as_events(decided):
                state = aggregate.evolutions[type(event)](state, event)
                self._count(projection.handlers[type(event)](event, recorded) if heard(event) else None)
            self.states[stream] = state

    def _count_rejection(self, command: str, refused: Rejection, recorded: Recorded) -> None:
        handler = projection.rejection_handler
        assert handler is not None
        rejection = RecordedRejection(
            category=recorded.category, id=recorded.id, command=command, code=refused.code, message=refused.message
        )
        self._count(handler(rejection, recorded))

    def _count(self, changes: Any) -> None:
        for change in as_changes(changes):
            assert isinstance(change, Increment)
            rows = self.counters.setdefault(table_name(change.row_type), {})
            rows.setdefault(change.key, Counter()).update(change.values)


def as_events(decided: Event | Sequence[Event] | None) -> Sequence[Event]:
    return () if decided is None else (decided,) if isinstance(decided, Event) else decided


def heard(event: Event) -> bool:
    return type(event) in projection.handlers


def write_tables(counters: dict[str, dict[tuple[object, ...], Counter[str]]], file: Path) -> None:
    """The counters as the SQLite tables of the projection."""
    with closing(sqlite3.connect(file)) as database:
        for name, keys, columns in tables_of(projection):
            values = [name_of for name_of in columns if name_of not in keys]
            database.execute(f"create table {name} ({', '.join(columns)}, primary key ({', '.join(keys)}))")
            for key, counted in counters.get(name, {}).items():
                row = [*key, *(counted[value] for value in values)]
                database.execute(f"insert into {name} values ({', '.join('?' * len(row))})", row)
        database.commit()


def tables_of(projection: Projection) -> list[tuple[str, tuple[str, ...], list[str]]]:
    return [(table_name(row), row_key(row), [column.name for column in row_columns(row)]) for row in projection.rows]
