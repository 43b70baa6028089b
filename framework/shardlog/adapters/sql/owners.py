"""Which build fills which table, and which projection has which view: what is another's, or nobody's, is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, MetaData, Table, insert, inspect, select

from shardlog.adapters.sql.tables import OWNERS, of_build
from shardlog.errors import TableMismatch
from shardlog.ports.builds import Build, BuildKey

_HELD = OWNERS.c


class Described(msgspec.Struct, frozen=True):
    """What analysts are told of a table: its comment, and by column, in order, the column's; empty where none is."""

    comment: str
    columns: dict[str, str]


class View(NamedTuple):
    """A name that analysts use, and the table that it shows."""

    name: str
    table: str
    described: Described


def own(connection: Connection, build: Build, table: Table, view: str) -> None:
    """Note that the build fills this table, which is about to be made, and may be shown by this view.

    Raises TableMismatch where either name is taken.
    """
    described = Described(table.comment or "", {column.name: column.comment or "" for column in table.c})
    shown = msgspec.json.encode(described).decode()
    _take(connection, BuildKey(build.name, 0, 0), view, view_name="", described="")
    _take(connection, build.key, table.name, view_name=view, described=shown)


def views(connection: Connection, key: BuildKey) -> list[View]:
    """The views that show a build's tables where it serves."""
    wanted = select(_HELD.view_name, _HELD.name, _HELD.described).where(of_build(OWNERS, key)).order_by(_HELD.name)
    found = connection.execute(wanted).all()
    return [View(name, table, msgspec.json.decode(described, type=Described)) for name, table, described in found]


def view_names(connection: Connection, projection: str) -> set[str]:
    """The names of all views that the projection has had."""
    return set(_names(connection, BuildKey(projection, 0, 0)))


def tables(connection: Connection, key: BuildKey) -> list[Table]:
    """A build's tables, by name alone."""
    return [Table(name, MetaData()) for name in _names(connection, key)]


def _names(connection: Connection, key: BuildKey) -> Sequence[str]:
    return connection.execute(select(_HELD.name).where(of_build(OWNERS, key)).order_by(_HELD.name)).scalars().all()


def _take(connection: Connection, key: BuildKey, name: str, *, view_name: str, described: str) -> None:
    wanted = select(_HELD.projection, _HELD.version, _HELD.build).where(_HELD.name == name)
    held = connection.execute(wanted).one_or_none()
    if held is None:
        if inspect(connection).has_table(name):
            raise TableMismatch(
                f"projection {key.projection!r} keeps table {name!r}, and there is one that no projection made: "
                "rename or drop that table, or give the row another name="
            )
        values = {"projection": key.projection, "version": key.version, "build": key.number}
        connection.execute(insert(OWNERS), {"name": name, **values, "view_name": view_name, "described": described})
    elif tuple(held) != key:
        owner, version, number = held
        which = f"version {version}, build {number}, fills" if version else "shows"
        raise TableMismatch(
            f"projection {key.projection!r} keeps table {name!r}, which projection {owner!r} {which} already. Keep the "
            f"old name of the projection, give the row another name=, or, where {owner!r} is no more, drop what it has "
            f"and its lines in {OWNERS.name!r}"
        )
