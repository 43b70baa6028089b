"""Which projection fills which table: a table that is another's, or nobody's, is refused rather than filled twice."""

from __future__ import annotations

from sqlalchemy import Connection, Table, insert, inspect, select

from shardlog.adapters.sql.tables import OWNERS
from shardlog.errors import TableMismatch
from shardlog.model.projection import Projection


def own(connection: Connection, projection: Projection, table: Table) -> None:
    """Note that the projection fills this table, where it is about to be made. Raises TableMismatch."""
    mine = (projection.name, projection.version)
    held = connection.execute(
        select(OWNERS.c.projection, OWNERS.c.version).where(OWNERS.c.name == table.name)
    ).one_or_none()
    if held is None:
        if inspect(connection).has_table(table.name):
            raise TableMismatch(
                f"projection {projection.name!r} keeps table {table.name!r}, and there is one that no projection made: "
                "rename or drop that table, or give the row another name="
            )
        connection.execute(
            insert(OWNERS), {"name": table.name, "projection": projection.name, "version": projection.version}
        )
    elif tuple(held) != mine:
        name, version = held
        raise TableMismatch(
            f"projection {projection.name!r} version {projection.version} keeps table {table.name!r}, and projection "
            f"{name!r} version {version} has filled it: counting from the start would double its rows. Keep the old "
            f"name of the projection, give the row another name=, or drop the table and its line in {OWNERS.name!r}"
        )
