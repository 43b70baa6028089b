"""The proof: the SQL tables of a run against the same tables counted straight from the CSV files."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from demo.recount import Table, expected_tables


def prove(database: Path, months: int = 12) -> list[str]:
    """Compare every row and column of the flights tables in this SQLite file with what the raw data give.

    months: how many of the year (1 to 12) were fed. Returns the differences as text; none means proven.
    """
    return differences(database, expected_tables(months))


def differences(database: Path, expected: list[Table]) -> list[str]:
    """How the tables in this SQLite file differ from the expected ones, as text, a line each."""
    if not database.is_file():
        return [f"there is no file {database}: run the demo first"]
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return [line for table in expected for line in _compare(connection, table)]
    finally:
        connection.close()


def _compare(connection: sqlite3.Connection, table: Table) -> Iterator[str]:
    names = [row[1] for row in connection.execute(f"pragma table_info({table.name})")]
    wanted = [*table.keys, *table.columns]
    if sorted(names) != sorted(wanted):
        yield f"{table.name}: its columns are {names or 'missing, and so is the table'}, expected {wanted}"
        return
    found: dict[tuple[object, ...], tuple[int, ...]] = {}
    for row in connection.execute(f"select {', '.join(wanted)} from {table.name}"):  # noqa: S608  # names from the code
        key = row[: len(table.keys)]
        if key in found:
            yield f"{_name(table, key)}: stands there twice"
        found[key] = row[len(table.keys) :]
    for key, values in sorted(table.rows.items(), key=lambda item: str(item[0])):
        if key not in found:
            yield f"{_name(table, key)}: is missing, expected {_pairs(table.columns, values)}"
            continue
        for column, value, right in zip(table.columns, found[key], values, strict=True):
            if value != right or type(value) is not int:
                yield f"{_name(table, key)}: {column} is {value!r}, expected {right}"
    for key in sorted(found.keys() - table.rows.keys(), key=str):
        yield f"{_name(table, key)}: is there, and nothing in the data gives it"


def _name(table: Table, key: tuple[object, ...]) -> str:
    return f"{table.name}[{_pairs(table.keys, key)}]"


def _pairs(names: tuple[str, ...], values: tuple[object, ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def main() -> int:
    """`python -m demo.proof DATABASE MONTHS`: prints the differences, a line each. Returns 1 where there are any."""
    database, months = sys.argv[1:]
    found = prove(Path(database), int(months))
    for line in found:
        print(line)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
