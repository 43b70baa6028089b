"""`shardlog admin assign`: who should own a shard."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import say_json
from shardlog.cli.serve.serving import begun


@click.command("assign")
@click.argument("shard", type=click.IntRange(0))
@click.argument("ordinal", type=click.IntRange(0))
@settings_option
@json_option
def command(shard: int, ordinal: int, settings: Path | None, as_json: bool) -> None:
    """Say that SHARD should be owned by the executor with this ORDINAL from now on.

    The owner of before finishes what it has taken and releases the shard; the new one claims it. Both look every
    [ownership] poll_ms.
    """
    loaded, _ = begun(settings)

    from shardlog.ownership.view import owner_name
    from shardlog.wiring.kafka.administration import assign

    found = assign(loaded.settings, shard, owner_name(ordinal))
    if as_json:
        say_json({"shard": found.shard, "version": found.version, "owner": found.owner})
    else:
        click.echo(f"shard {found.shard}: {found.owner}, version {found.version} of its assignment")
