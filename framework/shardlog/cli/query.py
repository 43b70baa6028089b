"""`shardlog query`: a projection's tables, as they are or as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, progress
from shardlog.cli.query_output import FORMATS, say_tables

if TYPE_CHECKING:
    from shardlog.model.application import Application
    from shardlog.ports.scratch import Scratch
    from shardlog.ports.tables import Tables
    from shardlog.projector.cut import AsOf
    from shardlog.wiring.settings import Settings


@click.command("query")
@click.argument("projection", shell_complete=complete_projection)
@click.option(
    "--as-of", "as_of_text", metavar="AS-OF", help="A recorded time with its zone, a token, or occurred:TIME."
)
@click.option("--sql", metavar="SELECT", help="Show what this gives, instead of the tables.")
@click.option("--format", "shape", type=click.Choice(FORMATS), default="table", help="How rows are printed.")
@click.option("--limit", type=click.IntRange(min=1), help="Show so many rows of each table.  [default: 20 for people]")
@click.option(
    "--keep", type=click.Path(dir_okay=False, path_type=Path), help="Build in this new SQLite file; it stays."
)
@click.option("--database", metavar="URL", help="Build in this PostgreSQL: postgresql://user@host:port/name.")
@click.option("--schema", help="Build in this new schema there; it stays.")
@settings_option
@json_option
def command(
    projection: str,
    as_of_text: str | None,
    sql: str | None,
    shape: str,
    limit: int | None,
    keep: Path | None,
    database: str | None,
    schema: str | None,
    settings: Path | None,
    as_json: bool,
) -> None:
    """Show the tables of PROJECTION, or what a SELECT gives there: as they are; with --as-of, as they were.

    Tables as they were are built from the beginning of the journal, in a temporary SQLite file, and deleted; a server
    may run meanwhile. Names of tables stay the same. Nothing is ever changed in a table that serves.

    \b
    shardlog query balances
    shardlog query balances --as-of 2026-03-01T12:00:00Z --sql 'SELECT sum(balance) FROM account_balances'
    shardlog query balances --as-of occurred:2026-03-01T00:00:00Z --keep march.sqlite
    """
    loaded, application = load_with_application(settings)
    _check_projection(application, projection)
    _check_place(as_of_text, keep, database, schema)
    with _tables(loaded.settings, application, projection, as_of_text, keep, database, schema) as tables:
        from shardlog.wiring.as_of import table_selects

        selects = {"": sql} if sql is not None else table_selects(application.projections[projection])
        say_tables(tables, selects, "json" if as_json else shape, limit)


def _check_projection(application: Application, projection: str) -> None:
    from shardlog.model.names import closest

    if projection not in application.projections:
        known = ", ".join(application.projections) or "none"
        near = closest(projection, application.projections)
        raise click.UsageError(f"there is no projection {projection!r}{near}; there are: {known}")


def _check_place(as_of: str | None, keep: Path | None, database: str | None, schema: str | None) -> None:
    if as_of is None and (keep or database or schema):
        raise click.UsageError("--keep, --database and --schema say where tables as they were are built: give --as-of")
    if keep and database:
        raise click.UsageError("--keep is a SQLite file and --database is PostgreSQL: take one of them")
    if schema and not database:
        raise click.UsageError("--schema is one of PostgreSQL: name its --database")


@contextmanager
def _tables(
    settings: Settings,
    application: Application,
    projection: str,
    as_of_text: str | None,
    keep: Path | None,
    database: str | None,
    schema: str | None,
) -> Iterator[Tables]:
    from shardlog.wiring.as_of import open_scratch
    from shardlog.wiring.stores import ProjectionDatabase

    if as_of_text is None:
        yield ProjectionDatabase.of(settings).tables()
        return
    as_of = _as_of(as_of_text)
    _say_future(as_of)
    scratch = open_scratch(database, schema if database else keep)
    try:
        yield _built(settings, application, projection, as_of, scratch)
    finally:
        scratch.close()
    if keep or schema:
        click.echo(f"shardlog: the tables stay in {keep or f'schema {schema}'}", err=True)


def _built(settings: Settings, application: Application, projection: str, as_of: AsOf, scratch: Scratch) -> Tables:
    from shardlog.wiring.as_of import Watch, build

    with progress() as bars:
        look, work = bars.add_task("looking", total=None), bars.add_task(projection, total=None)
        watch = Watch(
            lambda done, total: bars.update(look, completed=done, total=total),
            lambda done, total: bars.update(work, completed=done, total=total),
        )
        found = build(settings, application, projection, as_of, scratch, watch)
    letters = f"; {count(found.dead_letters, 'dead letter')} passed over" if found.dead_letters else ""
    click.echo(
        f"shardlog: {projection}: {count(found.handled, 'event')} of {count(found.records, 'record')}{letters}",
        err=True,
    )
    return found.tables


def _say_future(as_of: AsOf) -> None:
    """Not refused: clocks of several hosts differ."""
    from datetime import UTC, datetime

    from shardlog.model.recorded import Position

    if not isinstance(as_of, Position) and as_of.time > datetime.now(UTC):
        click.echo(
            f"shardlog: {as_of.time.isoformat()} is in the future: these are the tables as of now, and asking again "
            "may give others",
            err=True,
        )


def _as_of(text: str) -> AsOf:
    from shardlog.projector.cut import parse_as_of

    try:
        return parse_as_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from error
