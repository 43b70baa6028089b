"""The proof: the SQL tables of a run against the same tables counted straight from the CSV files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from demo.querying import Tables, named_database, reading
from demo.recount import Table, expected_tables


def prove(place: Path, months: int = 12) -> list[str]:
    """Compare every row and column of the flights tables of a run with what the raw data give.

    place: the journal's directory, or a file of settings. months: how many of the year (1 to 12) were fed. Returns the
    differences as text; none means proven.
    """
    return differences(place, expected_tables(months))


def differences(place: Path, expected: list[Table]) -> list[str]:
    """How the tables of a run differ from the expected ones, as text, a line each."""
    try:
        with reading(named_database(place)) as tables:
            return [line for table in expected for line in _compare(tables, table)]
    except FileNotFoundError as error:
        return [str(error)]


def _compare(tables: Tables, table: Table) -> Iterator[str]:
    names = tables.columns(table.name)
    wanted = [*table.keys, *table.columns]
    if sorted(names) != sorted(wanted):
        yield f"{table.name}: its columns are {names or 'missing, and so is the table'}, expected {wanted}"
        return
    found: dict[tuple[object, ...], tuple[int, ...]] = {}
    for row in tables.rows(f"select {', '.join(wanted)} from {table.name}"):  # noqa: S608  # names from the code
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
    """`python -m demo.proof PLACE MONTHS`: prints the differences, a line each. Returns 1 where there are any.

    PLACE: the journal's directory, or a file of settings.
    """
    place, months = sys.argv[1:]
    found = prove(Path(place), int(months))
    for line in found:
        print(line)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
