"""`shardlog admin init`: topics and meta record."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import say_json
from shardlog.cli.serve.serving import begun


@click.command("init")
@settings_option
@json_option
def command(settings: Path | None, as_json: bool) -> None:
    """Make the journal that the settings and the application describe: its topics, and its record on the control topic.

    Again, it adds the topics and categories that a newer application brings. A topic with wrong settings, and another
    number of shards, another hash or other routing parts than the journal has, are refused: nothing is changed then.
    """
    loaded, application = begun(settings)

    from shardlog.wiring.kafka.administration import init

    made = init(loaded.settings, application)
    if as_json:
        say_json(made._asdict())
        return
    for topic in made.topics:
        click.echo(f"topic {topic} made")
    click.echo(f"journal {made.name} ({made.journal}): {made.shards} shards, categories {', '.join(made.categories)}")
