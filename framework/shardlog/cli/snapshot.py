"""`shardlog snapshot`: one of every shard, now."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, load, settings_option
from shardlog.cli.printing import count, say_json, say_table


@click.command("snapshot")
@settings_option
@json_option
def command(settings: Path | None, as_json: bool) -> None:
    """Take a snapshot of every shard: opens the journal, recovers, writes them, and closes.

    Nobody may serve the journal meanwhile: exits with 75 where a process does. That process takes snapshots by itself,
    as [snapshots] every_bytes and every_ms say. Sends of process managers that are under way go on while it is open.
    """
    from shardlog.errors import JournalHeld
    from shardlog.wiring.embedded import Embedded
    from shardlog.wiring.loading import import_from
    from shardlog.wiring.snapshots_read import manifests

    loaded = load(settings)
    import_from(loaded.folder)
    engine = Embedded.from_settings(loaded.settings, projects=False)
    try:
        with engine:
            engine.snapshot()
            found = manifests(engine.directory, engine.meta.journal, engine.shards)
    except JournalHeld as error:
        raise JournalHeld(
            f"{error}. It takes snapshots by itself ([snapshots] every_bytes, every_ms); to have one now, end it first"
        ) from error
    newest = [snapshots[0] for snapshots in found.values() if snapshots]
    if as_json:
        say_json([{"key": m.about.key.stem, "streams": m.streams, "bytes": m.bytes} for m in newest])
        return
    rows = [(m.about.shard, f"{m.about.next:,}", f"{m.streams:,}", f"{m.bytes:,}", m.about.key.stem) for m in newest]
    say_table(("shard", "up to offset", "streams", "bytes", "key"), rows)
    click.echo(f"{count(len(newest), 'shard')}: recovery begins there from now on")
