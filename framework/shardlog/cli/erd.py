"""`shardlog erd`: the tables of projections, drawn."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json


@click.command("erd")
@click.argument("projections", nargs=-1, metavar="[PROJECTION]...", shell_complete=complete_projection)
@click.option(
    "--format", "shape", type=click.Choice(("mermaid", "dot", "svg")), default="mermaid", help="What to draw for."
)
@click.option(
    "--check",
    "checked",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Draw nothing; say whether this file is the drawing, or a page that has it as a block.",
)
@settings_option
@json_option
def command(
    projections: tuple[str, ...], shape: str, checked: Path | None, settings: Path | None, as_json: bool
) -> int:
    """Draw the tables of all projections, or of those named: keys, types as in PostgreSQL, comments.

    It asks the application, and no database. Exits with 1 where --check finds another drawing.

    \b
    shardlog erd > tables.mmd
    shardlog erd --format svg > tables.svg
    shardlog erd --check docs/tables.md
    """
    from shardlog.inspection.drawing import dot, mermaid
    from shardlog.inspection.picture import svg
    from shardlog.inspection.tables import drawing_of

    _, application = load_with_application(settings)
    for name in projections:
        _check_known(name, list(application.projections))
    drawing = drawing_of(application.projections[name] for name in projections or application.projections)
    if as_json and checked is None:
        say_json(drawing)
        return ExitCode.OK
    drawn = {"mermaid": mermaid, "dot": dot, "svg": svg}[shape](drawing)
    if checked is None:
        click.echo(drawn, nl=False)
        return ExitCode.OK
    return _check(checked, shape, drawn, as_json)


def _check_known(name: str, known: list[str]) -> None:
    from shardlog.model.names import closest

    if name not in known:
        raise click.UsageError(
            f"there is no projection {name!r}{closest(name, known)}; there are: {', '.join(known) or 'none'}"
        )


def _check(path: Path, shape: str, drawn: str, as_json: bool) -> int:
    text = path.read_text("utf-8")
    is_current = text == drawn or f"```{shape}\n{drawn}```" in text
    if as_json:
        say_json({"file": str(path), "is_current": is_current})
    elif not is_current:
        click.echo(f"{path} does not show the tables as they are: put in what `shardlog erd --format {shape}` prints")
    return ExitCode.OK if is_current else ExitCode.FAILED
