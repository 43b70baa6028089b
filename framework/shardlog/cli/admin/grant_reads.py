"""`shardlog admin grant-reads`: the rights of a role that reads the projections' tables."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import load, settings_option


@click.command("grant-reads")
@click.argument("role")
@settings_option
def command(settings: Path | None, role: str) -> None:
    """Let ROLE, which exists in PostgreSQL, read the tables of all projections, and those of builds to come.

    It gets no other right, and none to dead letters, which hold whole events. To be repeated where another user keeps
    the projections ([projections] database) than before. A role that is to read no more: `REVOKE`, as any right.
    """
    loaded = load(settings)

    from shardlog.wiring.stores import ProjectionDatabase

    ProjectionDatabase.of(loaded.settings).grant_reads(role)
    click.echo(f"{role} may read schema {loaded.settings.projections.schema} now, and what is made there")
