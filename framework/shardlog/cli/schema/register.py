"""`shardlog schema register`: every schema in the registry, before the code that writes with it is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import json_option, load, settings_option
from shardlog.cli.printing import count, say_json
from shardlog.cli.schema.comparing import compared, say_refused, schemas_option

if TYPE_CHECKING:
    from shardlog.avro.names import MessageName


@click.command("register")
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be registered, and register nothing.")
@schemas_option
@settings_option
@json_option
def command(is_dry: bool, directory: Path | None, settings: Path | None, as_json: bool) -> int:
    """Register the schema of every command and event with the registry of [schemas] registry_url.

    Each goes under its subject, TOPIC-RECORD, with the topics of [kafka] journal. What is there already keeps its id.
    The folder must hold what the classes give: `shardlog schema export` writes it. Where the registry refuses one,
    nothing is registered; exits with 3 then, and with 1 where the folder is not up to date.
    """
    from shardlog.avro.registering import register_all
    from shardlog.errors import ConfigurationError
    from shardlog.wiring.schemas import open_registry

    found = compared(settings, directory)
    refused = [change for change in found.changes if change.status == "refused"]
    stale = [change for change in found.changes if change.status in ("new", "changed")]
    if refused or stale:
        say_refused(refused)
        for change in stale:
            click.echo(f"{change.path}: {change.status}: run `shardlog schema export` first; nothing was registered")
        return ExitCode.REFUSED if refused else ExitCode.FAILED
    loaded = load(settings)
    if not loaded.settings.schemas.registry_url:
        raise ConfigurationError(
            "schemas setting registry_url is empty, so there is no registry: ids are fingerprints then, and the folder "
            "is all that readers need"
        )
    kafka = loaded.settings.kafka

    def topic_of(name: MessageName) -> str:
        return kafka.events_topic(name.category) if name.kind == "events" else kafka.commands_topic

    registry = open_registry(loaded.settings.schemas, loaded.folder)
    try:
        rows = register_all(registry, found.messages.values(), topic_of, is_dry=is_dry)
    finally:
        registry.close()
    if as_json:
        say_json(rows)
    else:
        for row in rows:
            click.echo(f"{row.subject}: {row.state}{'' if row.id is None else f', id {row.id}'}{_because(row.reason)}")
        new = sum(row.state in ("new", "registered") for row in rows)
        click.echo(f"{count(len(rows), 'schema')}, {new} {'would be registered' if is_dry else 'registered now'}")
    return ExitCode.REFUSED if any(row.state == "refused" for row in rows) else ExitCode.OK


def _because(reason: str) -> str:
    return f": {reason}; `shardlog schema check` says which field, and what to do instead" if reason else ""
