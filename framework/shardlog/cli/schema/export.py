"""`shardlog schema export`: writes the schemas that the classes at hand give."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import count, say_json
from shardlog.cli.schema.comparing import compared, say_refused, schemas_option


@click.command("export")
@schemas_option
@settings_option
@json_option
def command(directory: Path | None, settings: Path | None, as_json: bool) -> int:
    """Write the Avro schema of every command and event, where no change is refused.

    The folder is to be kept under version control: it is what `check` compares with, and what decodes values where
    there is no schema registry. Exits with 3, and writes nothing, where `check` would refuse a change.
    """
    from shardlog.adapters.filesystem.schemas import write_schemas

    found = compared(settings, directory)
    refused = [change for change in found.changes if change.status == "refused"]
    written = [] if refused else write_schemas(found.directory, found.messages.values())
    if as_json:
        say_json({"refused": refused, "written": written})
    else:
        say_refused(refused)
        for path in written:
            click.echo(path)
        if not refused:
            click.echo(
                f"{found.directory}: {count(len(found.messages), 'schema')}, {count(len(written), 'file')} written"
            )
    return ExitCode.REFUSED if refused else ExitCode.OK
