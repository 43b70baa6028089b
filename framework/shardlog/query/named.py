"""Named queries: one SELECT in a file `NAME.sql`, under comments that say what it is for and which parameters it takes.

    -- Accounts of a ledger that hold at least so much.
    -- :ledger text             Which ledger.
    -- :balance_min integer = 0 In cents.
    SELECT account, balance FROM account_balances WHERE ledger = :ledger AND balance >= :balance_min ORDER BY account

A parameter has a name, a kind, perhaps a default (a number, true, false, null, or a text in single quotes), and what it
is for. In the statement `:name` is a bound value, never text; a colon that is none is written `\\:`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.ports.reading import NamedQuery, QueryParameter
from shardlog.ports.rows import Kind
from shardlog.query.problems import invalid
from shardlog.query.selections import COMMON, Parameters, shown, single, unknown
from shardlog.query.values import parsed

KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind not in ("json", "enum", "int_enum"))
_is_name = re.compile(r"[a-z][a-z0-9_-]{0,62}").fullmatch
_parameter = re.compile(
    r"--\s*:(?P<name>\w+)\s+(?P<kind>\w+)(?:\s*=\s*(?P<default>'(?:[^']|'')*'|\S+))?(?:\s+(?P<about>.*))?"
).fullmatch
_bound = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
"""Where SQLAlchemy takes a name for a parameter."""
_cast = re.compile(r"(?<![:\w\\]):(\w+)::").search


def named_queries(directory: Path) -> Mapping[str, NamedQuery]:
    """All files `*.sql` of a folder, by name; none where there is no such folder.

    Raises ConfigurationError, naming file and line.
    """
    return {query.name: query for query in map(read_query, sorted(directory.glob("*.sql")))}


def read_query(file: Path) -> NamedQuery:
    """Raises ConfigurationError, naming file and line."""
    if not _is_name(file.stem):
        raise ConfigurationError(
            f"{file}: a named query's file is called NAME.sql, and NAME is a lower case letter and then lower case "
            "letters, digits, _ and -, 63 in all"
        )
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    parameters: list[QueryParameter] = []
    about: list[str] = []
    first = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not line.startswith("--"):
            first = number
            break
        if line.removeprefix("--").lstrip().startswith(":"):
            parameters.append(_read_parameter(file, number, line, {known.name for known in parameters}))
        elif not parameters:
            about.append(line.removeprefix("--").strip())
    if not first:
        raise ConfigurationError(f"{file} has no statement: write one SELECT under its comments")
    statement = "\n".join(lines[first - 1 :]).strip().removesuffix(";").rstrip()
    _check_bound(file, first, statement, {parameter.name for parameter in parameters})
    return NamedQuery(file.stem, " ".join(about), tuple(parameters), statement, file, first)


def values_of(query: NamedQuery, parameters: Parameters) -> Mapping[str, object]:
    """The values of a query's parameters. Raises RequestRefused, naming the parameter and what it must be."""
    known = {parameter.name: parameter for parameter in query.parameters}
    for name in parameters:
        if name not in known and name not in COMMON:
            raise invalid(unknown(name, (*known, *COMMON)))
    return {name: _value(parameter, single(parameters, name)) for name, parameter in known.items()}


def _value(parameter: QueryParameter, text: str | None) -> object:
    if text is None:
        if parameter.default is msgspec.UNSET:
            raise invalid(
                f"{parameter.name} is missing: {parameter.description or 'a value of kind ' + parameter.kind}"
            )
        return parameter.default
    try:
        return parsed(parameter.kind, text)
    except ValueError as error:
        raise invalid(f"{parameter.name}={shown(text)}, and {error}") from None


def _read_parameter(file: Path, number: int, line: str, known: set[str]) -> QueryParameter:
    place = f"{file}, line {number}"
    found = _parameter(line.rstrip())
    if found is None:
        raise ConfigurationError(
            f"{place}: {line.strip()!r} declares no parameter: write `-- :name kind = default What it is for`"
        )
    name, kind, default, about = found["name"], found["kind"], found["default"], found["about"]
    if kind not in KINDS:
        raise ConfigurationError(f"{place}: parameter {name!r} is of kind {kind!r}, and there are: {', '.join(KINDS)}")
    if name in known or name in COMMON:
        why = "declared twice" if name in known else "a name that every query has of its own"
        raise ConfigurationError(f"{place}: parameter {name!r} is {why}: take another name")
    of_kind = cast("Kind", kind)
    return QueryParameter(name, of_kind, _default(place, name, of_kind, default), (about or "").strip())


def _default(place: str, name: str, kind: Kind, text: str | None) -> object:
    if text is None:
        return msgspec.UNSET
    if text == "null":
        return None
    plain = text[1:-1].replace("''", "'") if text.startswith("'") and text.endswith("'") and len(text) > 1 else text
    try:
        return parsed(kind, plain)
    except ValueError as error:
        raise ConfigurationError(f"{place}: the default of parameter {name!r} is {text}, and {error}") from None


def _check_bound(file: Path, first: int, statement: str, declared: set[str]) -> None:
    if place := _cast(statement):
        line = first + statement.count("\n", 0, place.start())
        raise ConfigurationError(
            f"{file}, line {line}: {place[0]} is not read as a cast: write CAST(:{place[1]} AS ...)"
        )
    used: set[str] = set()
    for place in _bound.finditer(statement):
        name = place[1]
        if name not in declared:
            line = first + statement.count("\n", 0, place.start())
            raise ConfigurationError(
                f"{file}, line {line}: :{name} is no parameter: declare it above the statement, as "
                f"`-- :{name} text What it is for`, or write \\:{name} where the colon belongs to the statement"
            )
        used.add(name)
    for name in sorted(declared - used):
        raise ConfigurationError(
            f"{file}: the statement does not use parameter {name!r}: use it as :{name}, or drop it"
        )
