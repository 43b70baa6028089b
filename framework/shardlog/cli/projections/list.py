"""`shardlog projections list`: every build, and how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json, say_table

if TYPE_CHECKING:
    from shardlog.wiring.operating import BuildStatus


@click.command("list")
@click.argument("projection", required=False, shell_complete=complete_projection)
@settings_option
@json_option
def command(projection: str | None, settings: Path | None, as_json: bool) -> None:
    """Show every build of PROJECTION, or of all: version, number, state, lag, dead letters, and what stopped it.

    Lag is in records of the journal, and in seconds since the oldest of them was recorded. With --json a build is a
    line, and has its lag by shard.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        found = projections.statuses(projection)
    if as_json:
        for status in found:
            say_json(_fields(status))
        return
    say_table(("projection", "version", "build", "state", "behind", "seconds", "dead letters"), map(_row, found))
    for status in found:
        record = status.record
        notes = ((record.hindrance, record.stopped), ("passed over by hand", record.passed_over))
        for label, text in notes if record.state != "retired" else ():
            if text:
                click.echo(f"{record.key.label} {label}: {text.strip()}")
    if any(status.record.state == "retired" for status in found):
        click.echo("what is retired can be switched back to, or dropped: shardlog projections drop NAME/VERSION/NUMBER")


def _row(status: BuildStatus) -> tuple[object, ...]:
    key = status.record.key
    letters = ", ".join(f"{number} {state}" for state, number in sorted(status.dead_letters.items())) or "-"
    behind = (f"{status.records_behind:,}", "-" if status.record.state == "retired" else f"{status.seconds_behind:.1f}")
    return (key.projection, key.version, key.number, status.record.standing, *behind, letters)


def _fields(status: BuildStatus) -> dict[str, object]:
    import msgspec

    record = msgspec.structs.asdict(status.record)
    return {
        **record.pop("key")._asdict(),
        **record,
        "records_behind": status.records_behind,
        "seconds_behind": status.seconds_behind,
        "lag": [msgspec.structs.asdict(shard) for shard in status.lag],
        "dead_letters": status.dead_letters,
    }
