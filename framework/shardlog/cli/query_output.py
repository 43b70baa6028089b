"""Rows of tables, printed for people (table) and for programs (csv, ndjson, json)."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from shardlog.cli.printing import say_json, say_table

if TYPE_CHECKING:
    from shardlog.ports.tables import Selected, Tables

FORMATS = ("table", "csv", "ndjson", "json")
ROWS_FOR_PEOPLE = 20


def say_tables(tables: Tables, selects: Mapping[str, str], shape: str, limit: int | None) -> None:
    """Run each SELECT and print it. selects: by name of the table; "" for a SELECT of the caller's own.

    Raises click.UsageError where several tables would be printed in a format that holds one.
    """
    if shape in ("csv", "ndjson") and len(selects) > 1:
        raise click.UsageError(
            f"--format {shape} holds one table, and there are {len(selects)}: {', '.join(selects)}. Take one by --sql"
        )
    if shape == "json":
        _say_json(tables, selects, limit)
        return
    for place, (name, sql) in enumerate(selects.items()):
        with tables.select(sql) as selected:
            if shape == "csv":
                _say_csv(selected, limit)
            elif shape == "ndjson":
                for row in islice(selected.rows, limit):
                    say_json(_object(selected.columns, row))
            else:
                if place:
                    click.echo()
                _say_table(name, selected, limit)


def _say_json(tables: Tables, selects: Mapping[str, str], limit: int | None) -> None:
    """A list of rows; for the tables of a projection an object of such lists by name."""
    found: dict[str, list[dict[str, object]]] = {}
    for name, sql in selects.items():
        with tables.select(sql) as selected:
            found[name] = [_object(selected.columns, row) for row in islice(selected.rows, limit)]
    say_json(found.get("", found))


def _say_csv(selected: Selected, limit: int | None) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(selected.columns)
    writer.writerows(map(_texts, islice(selected.rows, limit)))


def _say_table(name: str, selected: Selected, limit: int | None) -> None:
    """limit: without one all rows of a caller's own SELECT, and the first of a table."""
    if limit is None and name:
        limit = ROWS_FOR_PEOPLE
    rows = list(map(_texts, islice(selected.rows, limit)))
    if name:
        click.echo(name)
    say_table(selected.columns, rows)
    if limit is not None and next(selected.rows, None) is not None:
        click.echo(f"... and more: these are the first {limit:,}; --limit shows others")


def _object(columns: Iterable[str], row: tuple[object, ...]) -> dict[str, object]:
    return {name: _time(v) if isinstance(v, datetime) else v for name, v in zip(columns, row, strict=True)}


def _texts(row: Iterable[object]) -> list[str]:
    return [_text(value) for value in row]


def _text(value: object) -> str:
    """As JSON writes it, texts bare, bytes in hex, and nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        import msgspec

        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)


def _time(value: datetime) -> str:
    """An instant in the form that SQLite keeps, whatever the zone of the session is."""
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
