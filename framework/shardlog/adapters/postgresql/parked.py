"""What a batch's dead letters are parked behind: found and locked in one statement, whatever the number of streams."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, Connection, Text, column, func, literal, select, true

from shardlog.adapters.sql.letters import one_open
from shardlog.ports.builds import BuildKey
from shardlog.ports.projections import Stream


def open_of_all(connection: Connection, key: BuildKey, streams: Sequence[Stream]) -> set[Stream]:
    """Those of the streams that have a dead letter which is not skipped, one of each locked."""
    categories, ids = (literal([stream[place] for stream in streams], ARRAY(Text)) for place in (0, 1))
    named = (column("category", Text), column("id", Text))
    asked = func.unnest(categories, ids).table_valued(*named, name="asked").render_derived()
    one = one_open(key, asked.c.category, asked.c.id).lateral("one")
    found = connection.execute(select(asked.c.category, asked.c.id).join(one, true()))
    return {(row.category, row.id) for row in found}
