"""`shardlog admin assign`: who should own a shard."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import instant, say_json
from shardlog.cli.serve.serving import begun


@click.command("assign")
@click.argument("shard", type=click.IntRange(0))
@click.argument("ordinal", type=click.IntRange(0))
@settings_option
@json_option
def command(shard: int, ordinal: int, settings: Path | None, as_json: bool) -> None:
    """Say that SHARD should be owned by the executor with this ORDINAL from now on.

    The owner of before finishes what it has taken and releases the shard; the new one claims it. Both look every
    [ownership] poll_ms. Where the new one was never started for this journal, or has ended, a warning says so: the
    shard is served by nobody until it runs.
    """
    loaded, _ = begun(settings)

    from shardlog.ownership.view import owner_name
    from shardlog.wiring.kafka.administration import assign

    assigned = assign(loaded.settings, shard, owner_name(ordinal))
    found, seen = assigned.assignment, assigned.owner
    if as_json:
        said = None if seen is None else {"state": seen.state, "time": seen.time}
        say_json({"shard": found.shard, "version": found.version, "owner": found.owner, "executor": said})
    else:
        click.echo(f"shard {found.shard}: {found.owner}, version {found.version} of its assignment")
    if not assigned.is_there:
        since = (
            "was never started for this journal"
            if seen is None
            else f"ended at {instant(seen.time)}, as a process of its said last"
        )
        click.echo(
            f"shardlog: warning: {found.owner} {since}. Unless another process of it runs, shard {found.shard} is "
            f"served by nobody until one does: shardlog serve executor --ordinal {ordinal}",
            err=True,
        )
