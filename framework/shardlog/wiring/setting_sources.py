"""From `shardlog.toml` and the environment to settings: a variable counts before the file, the file before the default.

What is wrong is named with its place and with what is allowed, all of it at once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from shardlog.errors import ConfigurationError
from shardlog.model.names import closest, listed
from shardlog.ranges import allowed, field_types, is_allowed, is_secret
from shardlog.wiring.settings import SECTIONS, JournalSettings, Loaded, Origin, Settings

FILE_NAME = "shardlog.toml"
PREFIX = "SHARDLOG_"
FILE_VARIABLE = PREFIX + "SETTINGS"
"""Names the file, where no argument does."""
CLIENT_VARIABLES = frozenset({PREFIX + "URL"})
"""What commands that call a server take from the environment beside settings."""
TEST_VARIABLES = frozenset(PREFIX + name for name in ("KAFKA", "POSTGRESQL", "MARIADB", "CACHE"))
"""What `shardlog.testing.services` takes from it: where servers are, and where fetched programs are kept."""


_is_grouped = re.compile(r"[0-9]{1,3}(_[0-9]{3})+").fullmatch
"""Underscores stand between groups of three digits: a slip like 4_0 is no 40."""


class _Given(NamedTuple):
    section: str
    name: str
    value: object
    origin: Origin


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Loaded:
    """The settings in force.

    path: the file; None takes what SHARDLOG_SETTINGS names, else `shardlog.toml` in the current folder, else none.
    Raises ConfigurationError, with every problem and its place.
    """
    environment = os.environ if environment is None else environment
    if path is None and environment.get(FILE_VARIABLE):
        path = Path(environment[FILE_VARIABLE])
    problems: list[str] = []
    given: dict[tuple[str, str], _Given] = {}
    if path is not None or Path(FILE_NAME).is_file():
        path = path or Path(FILE_NAME)
        given |= {(one.section, one.name): one for one in _in_file(path, problems)}
    given |= {(one.section, one.name): one for one in _in_environment(environment, problems)}
    folder = (path.parent if path is not None else Path()).resolve()
    settings = _joined(given, folder, problems)
    if settings is None:
        text = problems[0] if len(problems) == 1 else f"{len(problems)} settings are wrong:\n{listed(problems)}"
        raise ConfigurationError(text)
    origins = {
        (section, name): given[section, name].origin if (section, name) in given else Origin("default")
        for section, struct in SECTIONS.items()
        for name in struct.__struct_fields__
    }
    return Loaded(settings, origins, folder)


def variable(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{section}_{name}".upper()


# -- the file ----------------------------------------------------------------------------------------------------------
def _in_file(path: Path, problems: list[str]) -> Iterator[_Given]:
    for section, names in _tables(path).items():
        if section not in SECTIONS:
            known = ", ".join(f"[{name}]" for name in SECTIONS)
            problems.append(f"{path}: [{section}] is no section{closest(section, SECTIONS)}; there are: {known}")
            continue
        if not isinstance(names, dict):
            problems.append(
                f"{path}: {section} is {names!r}, and must be a section: write [{section}] above its settings"
            )
            continue
        types = field_types(SECTIONS[section])
        for name, value in names.items():
            if name not in types:
                near = _elsewhere(name) or closest(name, types)
                problems.append(f"{path}: [{section}] has no setting {name!r}{near}; it has: {', '.join(types)}")
            elif not is_allowed(value, types[name]):
                must = allowed(types[name])
                shown = "of a wrong type" if is_secret(types[name]) else _shown(value)
                problems.append(f"{path}, [{section}] {name} is {shown}, and must be {must}")
            else:
                yield _Given(section, name, msgspec.convert(value, types[name]), Origin("file", str(path)))


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}; name the file that has the settings"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def _elsewhere(name: str) -> str:
    sections = [section for section, struct in SECTIONS.items() if name in struct.__struct_fields__]
    return f"; it stands in [{sections[0]}]" if sections else ""


def _shown(value: object) -> str:
    """As it stands in TOML, more or less."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


# -- the environment ---------------------------------------------------------------------------------------------------
def _in_environment(environment: Mapping[str, str], problems: list[str]) -> Iterator[_Given]:
    known = {
        variable(section, name): (section, name) for section, s in SECTIONS.items() for name in s.__struct_fields__
    }
    others = {FILE_VARIABLE, *CLIENT_VARIABLES, *TEST_VARIABLES}
    for found in sorted(name for name in environment if name.startswith(PREFIX) and name not in others):
        if found not in known:
            near = closest(found, [*known, *others])
            problems.append(f"environment {found}: there is no such setting{near}; `shardlog config` lists them all")
            continue
        section, name = known[found]
        hint = field_types(SECTIONS[section])[name]
        value = _parsed(environment[found], hint)
        if not is_allowed(value, hint):
            problems.append(f"environment {found} is {environment[found]!r}, and must be {allowed(hint)}")
        else:
            yield _Given(section, name, msgspec.convert(value, hint), Origin("environment", found))


def _parsed(text: str, hint: Any) -> object:
    """A variable's text as a value of this type, where it can be one; lists are parted by commas."""
    if isinstance(msgspec.inspect.type_info(hint), msgspec.inspect.VarTupleType):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    plain = text.strip()
    if "_" in plain and _is_grouped(plain):
        plain = plain.replace("_", "")
    try:
        return msgspec.convert(plain, hint, strict=False)
    except msgspec.ValidationError:
        return None


# -- all together ------------------------------------------------------------------------------------------------------
def _joined(given: Mapping[tuple[str, str], _Given], folder: Path, problems: list[str]) -> Settings | None:
    """The settings; None where there are problems, each section's contradictions among them."""
    sections: dict[str, Any] = {}
    for section, struct in SECTIONS.items():
        values = {one.name: one.value for one in given.values() if one.section == section}
        if section == "journal":
            values["directory"] = str(folder / str(values.get("directory", JournalSettings().directory)))
        if section in ("projections", "query") and values.get("password_file"):
            values["password_file"] = str(folder / str(values["password_file"]))
        try:
            sections[section] = struct(**values)
        except ConfigurationError as contradiction:
            places = sorted({str(one.origin) for one in given.values() if one.section == section})
            problems.append(f"{', '.join(places)}: {contradiction}")
    return None if problems else Settings(**sections)
