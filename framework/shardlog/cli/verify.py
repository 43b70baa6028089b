"""`shardlog verify`: the journal's chain, and the code's replay of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import json_option, load_with_application, settings_option
from shardlog.cli.printing import count, progress, say_json

if TYPE_CHECKING:
    from shardlog.wiring.verify_report import Report


@click.command("verify")
@click.option("--from-start", is_flag=True, help="Replay from the journal's beginning, whatever snapshots there are.")
@settings_option
@json_option
def command(from_start: bool, settings: Path | None, as_json: bool) -> int:
    """Check every shard: checksums and chain of its records, and that the code at hand leads to the same states.

    Two processes with different hash seeds replay from the last snapshot but one (or from the beginning) over the last
    one to the end. Streams that differ between them, or from the snapshot, are named with the first event that differs.
    A server may run meanwhile. Exits with 65 where journal or snapshots are damaged, with 70 where states differ.
    """
    from shardlog.wiring.reading import open_journal
    from shardlog.wiring.verifying import verify

    loaded, application = load_with_application(settings)
    with open_journal(loaded.settings.directory, loaded.settings.kafka) as opened, progress() as bars:
        records = sum(opened.records(shard) for shard in range(opened.meta.shards))
        task = bars.add_task("records", total=3 * records)
        domains = loaded.settings.application.domains
        report = verify(
            opened,
            application,
            domains,
            from_start=from_start,
            passed=lambda records: bars.advance(task, records),
        )
    if as_json:
        say_json(report)
    else:
        _say(report)
    if any(problem.kind == "damaged" for problem in report.problems):
        return ExitCode.DAMAGED
    return ExitCode.DIFFERS if report.problems else ExitCode.OK


def _say(report: Report) -> None:
    for shard in report.shards:
        start = f"from snapshot {shard.start}" if shard.start else "from the beginning"
        compared = f", over {count(len(shard.compared), 'snapshot')}" if shard.compared else ""
        click.echo(f"shard {shard.shard}: {count(shard.records, 'record')}, replayed twice {start}{compared}")
        for text in shard.left_out:
            click.echo(f"  left out: {text}")
    for problem in report.problems:
        click.echo(f"shard {problem.shard}, {problem.kind}: {problem.text}")
    if not report.problems:
        click.echo("the chain holds, and the code leads to the same states")
