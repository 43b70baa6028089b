"""`shardlog schema` as a process, on a repository that changes as repositories do."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.cli.exit_codes import ExitCode
from tests.services.command_line import shardlog

DOMAIN = """
from shardlog import Aggregate, Command, Domain, Event, State, replace

class Lamp(State):
    watts: int = 0

class Light(Command):
    watts: int

class Lit(Event{lit}):
    watts: int
{fields}
lamp = Aggregate("lamp", initial=Lamp())

@lamp.decides
def light(state: Lamp, command: Light) -> Lit:
    return Lit(watts=command.watts{values})

@lamp.evolves
def lit(state: Lamp, event: Lit) -> Lamp:
    return replace(state, watts=event.watts)
{more}
home = Domain("home", aggregates=[lamp])
"""
UPCASTER = """
class LitV1(Event, name="lit", version=1):
    watts: int

@lamp.upcasts
def lit_v1(old: LitV1) -> Lit:
    return Lit(watts=old.watts, volts=230)
"""


def write(folder: Path, *, lit: str = "", fields: str = "", values: str = "", more: str = "") -> None:
    (folder / "lamps.py").write_text(DOMAIN.format(lit=lit, fields=fields, values=values, more=more))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository whose schemas are exported."""
    (tmp_path / "shardlog.toml").write_text('[application]\ndomains = ["lamps:home"]\n')
    write(tmp_path)
    said = shardlog(tmp_path, "schema", "export")
    assert said.code == ExitCode.OK, said.err
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.avsc")}


def test_an_export_writes_a_file_a_message_and_one_an_id_and_is_repeatable(folder: Path) -> None:
    written = files(folder)
    assert {"schemas/avro/lamp/events/Lit.v1.avsc", "schemas/avro/lamp/commands/Light.v1.avsc"} < set(written)
    assert len([path for path in written if "/ids/" in path]) == 2
    said = shardlog(folder, "schema", "export", "--json")
    assert (said.code, said.json) == (ExitCode.OK, {"refused": [], "written": []})
    assert shardlog(folder, "schema", "check").out.endswith("schemas/avro: 2 schemas as the classes give them\n")


def test_a_field_with_a_default_has_only_to_be_exported(folder: Path) -> None:
    write(folder, fields="    volts: int = 230\n")
    said = shardlog(folder, "schema", "check")
    assert said.code == ExitCode.FAILED
    assert said.out == ("lamp/events/Lit.v1.avsc: changed, and every reader can follow: run `shardlog schema export`\n")
    assert shardlog(folder, "schema", "export").code == ExitCode.OK
    assert shardlog(folder, "schema", "check").code == ExitCode.OK
    assert len([path for path in files(folder) if "/ids/" in path]) == 3, "the schema of before stays readable"


def test_a_field_without_a_default_is_refused_and_nothing_is_written(folder: Path) -> None:
    before = files(folder)
    write(folder, fields="    volts: int\n", values=", volts=230")
    said = shardlog(folder, "schema", "check")
    assert said.code == ExitCode.REFUSED
    assert "  - field volts is new and has no default: values from before do not have it\n" in said.out
    assert "register an upcaster with `@aggregate.upcasts`" in said.out
    assert shardlog(folder, "schema", "export").code == ExitCode.REFUSED
    assert files(folder) == before


def test_a_new_version_with_an_upcaster_is_let_through(folder: Path) -> None:
    write(folder, lit=", version=2", fields="    volts: int\n", values=", volts=230", more=UPCASTER)
    assert shardlog(folder, "schema", "export").code == ExitCode.OK
    assert shardlog(folder, "schema", "check").code == ExitCode.OK


def test_another_name_is_refused_with_the_way_to_keep_the_old_one(folder: Path) -> None:
    write(folder, lit=', name="switched_on"')
    (refused, new) = shardlog(folder, "schema", "check", "--json").json
    assert (refused["path"], refused["status"]) == ("lamp/events/Lit.v1.avsc", "refused")
    assert refused["remedy"].startswith('To rename the class alone, write `name="lit"` into it.')
    assert (new["path"], new["status"]) == ("lamp/events/SwitchedOn.v1.avsc", "new")


def test_another_checkout_s_folder_can_be_compared_with(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert shardlog(folder, "schema", "export", "--directory", str(other)).code == ExitCode.OK
    write(folder, fields="    volts: int = 230\n")
    assert shardlog(folder, "schema", "check", "--directory", str(other)).code == ExitCode.FAILED


def test_a_file_that_was_edited_is_named(folder: Path) -> None:
    file = next((folder / "schemas" / "avro" / "ids").iterdir())
    file.write_text("{")
    said = shardlog(folder, "schema", "check")
    assert said.code == ExitCode.FAILED
    assert file.name in said.err


def test_a_command_that_is_not_there_is_told_with_those_that_are(folder: Path) -> None:
    said = shardlog(folder, "schema", "chekc")
    assert said.code == ExitCode.USAGE
    assert "there is no command 'chekc'; did you mean 'check'?; there are: export, check" in said.err
