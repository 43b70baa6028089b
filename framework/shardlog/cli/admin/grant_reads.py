"""`shardlog admin grant-reads`: the rights of a role that reads the projections' tables."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, load, settings_option
from shardlog.cli.printing import say_json


@click.command("grant-reads")
@click.argument("role")
@settings_option
@json_option
def command(role: str, settings: Path | None, as_json: bool) -> None:
    """Let ROLE, which exists in PostgreSQL, read the tables of all projections, and those of builds to come.

    It gets no other right, and none to dead letters, which hold whole events. To be repeated where another user keeps
    the projections ([projections] database) than before. A role that is to read no more: `REVOKE`, as any right.
    """
    loaded = load(settings)

    from shardlog.wiring.stores import ProjectionDatabase

    ProjectionDatabase.of(loaded.settings).grant_reads(role)
    if as_json:
        say_json({"role": role, "schema": loaded.settings.projections.schema})
        return
    click.echo(f"{role} may read schema {loaded.settings.projections.schema} now, and what is made there")
