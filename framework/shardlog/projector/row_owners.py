"""The check that no row is written from two routing keys, unless it is only ever incremented. For tests: it remembers
every row."""

from __future__ import annotations

from shardlog.errors import RowShared
from shardlog.model.application import Application
from shardlog.model.changes import Change, Increment, Put
from shardlog.model.messages import Recorded, Row
from shardlog.ports.rows import table_shape


class RowOwners:
    """Which routing keys have written each row of one projection.

    Two shards are read in no fixed order: a row that both put or update would depend on it, and a rebuild would give
    another one. Increments give the same sums in any order.
    """

    def __init__(self, application: Application, projection: str) -> None:
        self._application = application
        self._projection = projection
        self._rows: dict[tuple[type[Row], tuple[object, ...]], tuple[tuple[str, ...], bool]] = {}

    def note(self, change: Change, recorded: Recorded) -> None:
        """Take notice of a change. Raises RowShared, naming row, key and both routing keys."""
        routing_key = self._application.aggregates[recorded.category].routing_key(recorded.id)
        row, key = _address(change)
        owners, is_counter = self._rows.get((row, key), ((), True))
        if routing_key not in owners:
            owners = (*owners, routing_key)[:2]
        is_counter = is_counter and isinstance(change, Increment)
        if len(owners) > 1 and not is_counter:
            raise RowShared(
                f"projection {self._projection!r}: row {row.__name__}{key!r} is written from two routing keys, "
                f"{owners[0]!r} and {owners[1]!r}, and not by increments alone: its contents depend on which is read "
                "first. Put the routing key into the row's key, or use increment for all of its changes."
            )
        self._rows[row, key] = (owners, is_counter)


def _address(change: Change) -> tuple[type[Row], tuple[object, ...]]:
    if isinstance(change, Put):
        row = type(change.row)
        return row, tuple(getattr(change.row, name) for name in table_shape(row).keys)
    return change.row_type, change.key
