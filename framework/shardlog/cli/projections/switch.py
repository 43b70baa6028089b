"""`shardlog projections switch`: another build, for analysts to see."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json
from shardlog.cli.projections.building import build_key


@click.command("switch")
@click.argument("build", metavar="NAME/VERSION/NUMBER")
@click.option(
    "--behind-max", type=click.IntRange(min=0), default=0, help="So many records it may lack.", show_default=True
)
@click.option("--however-far", is_flag=True, help="It may lack any number of records.")
@settings_option
@json_option
def command(build: str, behind_max: int, however_far: bool, settings: Path | None, as_json: bool) -> None:
    """Let the views show this build, such as the one that served before, and retire the one that serves.

    One transaction: analysts see the one or the other. It is refused for a build that lacks records, unless so many are
    allowed: an old version is kept up as long as somebody runs its code.
    """
    from shardlog.wiring.operating import operating

    key = build_key(build)
    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        projections.switch(key, None if however_far else behind_max)
    if as_json:
        say_json({**key._asdict(), "state": "serving"})
    else:
        click.echo(f"{key.label} serves")
