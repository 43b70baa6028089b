"""`shardlog config`: every setting, and where its value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import json_option, load, load_with_application, settings_option
from shardlog.cli.printing import say_json, say_table

if TYPE_CHECKING:
    from shardlog.wiring.settings import Loaded


@click.command("config")
@click.option(
    "--check",
    is_flag=True,
    help="Say only whether the settings hold, with the application that they name and the journal that is there.",
)
@settings_option
@json_option
def command(check: bool, settings: Path | None, as_json: bool) -> None:
    """Show every setting: value, unit, range, and where it comes from.

    A variable SHARDLOG_SECTION_NAME counts before the file, and the file before the default. Exits with 78 where one of
    them is wrong.
    """
    if check:
        from shardlog.wiring.checking import check_surroundings

        loaded, application = load_with_application(settings)
        check_surroundings(loaded.settings, application)
        sizes = f"{len(application.aggregates)} aggregate(s), {len(application.projections)} projection(s)"
        if as_json:
            say_json({"aggregates": sorted(application.aggregates), "projections": sorted(application.projections)})
        else:
            click.echo(f"the settings hold: {sizes}, {loaded.settings.journal.shards} shards")
        return
    loaded = load(settings)
    if as_json:
        say_json(_as_json(loaded))
    else:
        _show(loaded)


def _as_json(loaded: Loaded) -> list[dict[str, object]]:
    from shardlog.wiring.setting_list import all_settings

    return [
        {
            "section": setting.section,
            "name": setting.name,
            "value": setting.shown(loaded.settings),
            "default": setting.default,
            "unit": setting.unit,
            "allowed": setting.allowed,
            "origin": loaded.origins[setting.section, setting.name].kind,
            "place": loaded.origins[setting.section, setting.name].place,
            "variable": setting.variable,
            "about": setting.about,
        }
        for setting in all_settings()
    ]


def _show(loaded: Loaded) -> None:
    from shardlog.wiring.setting_list import all_settings

    rows: list[tuple[object, ...]] = []
    for setting in all_settings():
        value = setting.shown(loaded.settings)
        origin = loaded.origins[setting.section, setting.name]
        rows.append((f"{setting.section}.{setting.name}", _shown(value), setting.unit, origin, setting.allowed))
    say_table(("setting", "value", "unit", "from", "must be"), rows)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
