"""`shardlog status`: the whole of a journal directory at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import json_option, load, load_with_application, settings_option
from shardlog.cli.printing import instant, progress, say_json, say_table

if TYPE_CHECKING:
    from shardlog.model.application import Application
    from shardlog.wiring.status import ShardStatus, Status


@click.command("status")
@click.option("--no-records", is_flag=True, help="Leave out what only reading every record tells: claims, counts.")
@settings_option
@json_option
def command(no_records: bool, settings: Path | None, as_json: bool) -> int:
    """Show shards, projections, dead letters and snapshots; who serves them, and how far they are.

    It only reads, beside a running server or without one. Exits with 65 where a shard has a record that every reader
    stops at.
    """
    from shardlog.wiring.reading import open_journal
    from shardlog.wiring.status import status
    from shardlog.wiring.stores import ProjectionDatabase

    found_settings = load(settings).settings
    with open_journal(found_settings.directory, found_settings.kafka) as opened, progress() as bars:
        total = sum(opened.records(shard) for shard in range(opened.meta.shards))
        task = bars.add_task("records", total=total, visible=not no_records)
        application = _application(settings)
        found = status(
            opened,
            application,
            ProjectionDatabase.of(found_settings),
            reads_records=not no_records,
            passed=lambda _shard: bars.advance(task),
        )
    if as_json:
        say_json(found)
    else:
        _say(found)
    damaged = any(shard.records is not None and shard.records.stopped for shard in found.shards)
    return ExitCode.DAMAGED if damaged else ExitCode.OK


def _application(settings: Path | None) -> Application | None:
    """The application; None where it cannot be had, since shards can be told without it."""
    from shardlog.errors import ConfigurationError, DomainError

    try:
        return load_with_application(settings)[1]
    except (ConfigurationError, DomainError) as error:
        click.echo(f"shardlog: no projections are shown: {error}", err=True)
        return None


def _say(found: Status) -> None:
    click.echo(f"journal {found.journal} in {found.place}, made {instant(found.made)}, {_served(found)}")
    click.echo()
    headings = ("shard", "offsets", "epoch", "frames", "claims", "invalid", "last claim", "at")
    say_table(headings, [_shard_row(shard) for shard in found.shards])
    for shard in found.shards:
        if shard.records is not None and shard.records.stopped:
            click.echo(f"shard {shard.shard} is not readable further: {shard.records.stopped}")
    if found.projections:
        click.echo()
        rows = [
            (
                p.name,
                p.version,
                f"{p.build}, {p.standing}" if p.build else "none",
                f"{sum(p.lag.values()):,}",
                _by_name(p.dead_letters),
                ", ".join(p.tables),
            )
            for p in found.projections
        ]
        say_table(("projection", "version", "build", "records behind", "dead letters", "tables"), rows)
        for p in found.projections:
            if p.stopped:
                click.echo(f"projection {p.name}, build {p.build}, {p.standing}: {p.stopped.strip()}")
    if found.snapshots:
        click.echo()
        taken = [
            (s.shard, f"{s.next:,}", f"{s.behind:,}", f"{s.streams:,}", f"{s.bytes:,}", s.kept, instant(s.taken))
            for s in found.snapshots
        ]
        say_table(("shard", "snapshot up to", "records since", "streams", "bytes", "kept", "taken"), taken)
    if found.command_dead_letters is not None:
        click.echo()
        click.echo(f"dead letters of commands: {found.command_dead_letters:,}")


def _served(found: Status) -> str:
    if found.served_by is not None:
        return f"served by process {found.served_by}"
    if not found.is_on_kafka:
        return "served by nobody"
    shards: dict[str, list[str]] = {}
    for said in found.owners:
        shards.setdefault(f"{said.owner} {said.address}".strip(), []).append(str(said.shard))
    said_by = "; ".join(f"{owner}: {', '.join(numbers)}" for owner, numbers in shards.items())
    return f"said to be served by {said_by}" if said_by else "nobody says to serve it"


def _shard_row(shard: ShardStatus) -> tuple[object, ...]:
    records = shard.records
    offsets = f"{shard.earliest:,} to {shard.next:,}"
    if records is None:
        return (shard.shard, offsets, "", "", "", "", "", "")
    counts = (f"{records.frames:,}", f"{records.claims:,}", _by_name(records.invalid))
    return (shard.shard, offsets, records.epoch, *counts, records.owner or "-", instant(records.claimed))


def _by_name(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "0"
