"""`shardlog schema check`: whether readers of old and new values can follow the classes at hand."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import count, say_json
from shardlog.cli.schema.comparing import compared, say_refused, schemas_option


@click.command("check")
@schemas_option
@settings_option
@json_option
def command(directory: Path | None, settings: Path | None, as_json: bool) -> int:
    """Compare the classes at hand with the schemas that are stored, and refuse what readers could not follow.

    A field without a default that came or went, another type, a rename, a version that is gone: each is told with what
    to do instead. Exits with 3 where a change is refused, and with 1 where the files only have to be written anew.
    """
    found = compared(settings, directory)
    refused = [change for change in found.changes if change.status == "refused"]
    stale = [change for change in found.changes if change.status in ("new", "changed")]
    if as_json:
        say_json([change for change in found.changes if change.status != "same"])
    else:
        say_refused(refused)
        for change in stale:
            click.echo(f"{change.path}: {change.status}, and every reader can follow: run `shardlog schema export`")
        if not refused and not stale:
            click.echo(f"{found.directory}: {count(len(found.messages), 'schema')} as the classes give them")
    if refused:
        return ExitCode.REFUSED
    return ExitCode.FAILED if stale else ExitCode.OK
