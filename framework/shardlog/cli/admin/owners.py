"""`shardlog admin owners`: who should own each shard, and who says that it does."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import say_json, say_table
from shardlog.cli.serve.serving import begun


@click.command("owners")
@settings_option
@json_option
def command(settings: Path | None, as_json: bool) -> None:
    """Show each shard with the executor that should own it, and the one that last said that it does.

    What was said is a hint: the claim in the journal decides.
    """
    loaded, _ = begun(settings)

    from shardlog.wiring.kafka.administration import owners

    rows = owners(loaded.settings)
    if as_json:
        say_json([row._asdict() for row in rows])
    else:
        say_table(
            ("shard", "should be owned by", "version", "owned by", "epoch", "address"),
            [(r.shard, r.assigned, r.version, r.owner or "-", r.epoch, r.address or "-") for r in rows],
        )
