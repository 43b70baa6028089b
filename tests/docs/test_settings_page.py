"""The pages on settings and commands say what the code has: every setting, option and exit code, and no other.

`python -m tests.docs.test_settings_page` writes the tables of the settings anew.
"""

from __future__ import annotations

import re
from itertools import groupby

import click
import pytest

from shardlog.cli import admin, projections, schema, serve
from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.main import COMMANDS, shardlog
from shardlog.wiring.setting_list import Setting, all_settings
from tests.docs.stranger import ROOT

SETTINGS = (ROOT / "docs" / "settings.md").read_text()
COMMAND_LINE = (ROOT / "docs" / "cli.md").read_text()


def row(setting: Setting) -> str:
    """The setting's line in the table of its section."""
    default = setting.default
    shown = f"{default:_}" if isinstance(default, int) and not isinstance(default, bool) else default
    shown = {True: "true", False: "false", (): "none"}.get(shown, f"`{shown}`")  # type: ignore[call-overload]
    unit = setting.unit or "-"
    return f"| `{setting.name}` | {shown} | {unit} | {setting.allowed} | {setting.about} |"


@pytest.mark.parametrize("section", sorted({setting.section for setting in all_settings()}))
def test_a_section_s_table_has_its_settings_and_no_others(section: str) -> None:
    rows = next(list(found) for name, found in groupby(all_settings(), lambda s: s.section) if name == section)
    table = SETTINGS.partition(f"## [{section}]\n")[2].partition("\n## ")[0]
    assert [line for line in table.splitlines() if line.startswith("| `")] == [row(setting) for setting in rows]


def test_there_is_no_section_beside_them() -> None:
    sections = re.findall(r"^## \[(\w+)\]$", SETTINGS, re.MULTILINE)
    assert sections == list(dict.fromkeys(setting.section for setting in all_settings()))


GROUPS = {
    "serve": serve.COMMANDS,
    "admin": admin.COMMANDS,
    "projections": projections.COMMANDS,
    "schema": schema.COMMANDS,
}


@pytest.mark.parametrize("name", [*COMMANDS, *(f"{group} {name}" for group, names in GROUPS.items() for name in names)])
def test_a_command_s_part_of_the_page_has_its_options_and_no_others(name: str) -> None:
    command: click.Command | None = shardlog
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    part = COMMAND_LINE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    options = {option for p in command.params if isinstance(p, click.Option) for option in p.opts}
    assert set(re.findall(r"^\| `(--[a-z-]+)", part, re.MULTILINE)) == options - {"--settings", "--json", "-f"}
    assert ("--json" in part) is ("--json" in options)


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = COMMAND_LINE.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == [str(code.value) for code in ExitCode]


def _written_anew(page: str) -> str:
    """The page with the tables as the code has them; text between them stays."""
    for name, found in groupby(all_settings(), lambda setting: setting.section):
        head, title, rest = page.partition(f"## [{name}]\n")
        part, following, tail = rest.partition("\n## ")
        kept = [line for line in part.splitlines() if not line.startswith("| `")]
        rows = [row(setting) for setting in found]
        page = head + title + "\n".join([*kept, *rows]) + "\n" + following + tail
    return page


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(_written_anew(SETTINGS))
