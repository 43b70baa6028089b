"""`shardlog projections dead-letters`: what a projection could not handle, and what waits behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, say_json

if TYPE_CHECKING:
    from shardlog.ports.projections import DeadLetter


@click.command("dead-letters")
@click.argument("projection", shell_complete=complete_projection)
@click.option("--all", "shows_all", is_flag=True, help="Show those that were skipped, too.")
@click.option("--traceback", "shows_traceback", is_flag=True, help="Show where each failed.")
@settings_option
@json_option
def command(projection: str, shows_all: bool, shows_traceback: bool, settings: Path | None, as_json: bool) -> None:
    """Show the dead letters of PROJECTION, by stream in order: failed ones, and those parked behind them.

    Retry them when the handler is repaired, or skip one. With --json a letter is a line.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        letters = projections.dead_letters(projection, include_skipped=shows_all)
    for letter in letters:
        if as_json:
            say_json(_fields(letter))
        else:
            _say(letter, shows_traceback)
    if not as_json:
        click.echo(count(len(letters), "dead letter") if shows_all else count(len(letters), "open dead letter"))


def _fields(letter: DeadLetter) -> dict[str, object]:
    import msgspec

    fields = msgspec.structs.asdict(letter)
    for name in ("recorded", "data"):
        fields[name] = msgspec.Raw(fields[name].encode())
    return {"token": fields.pop("position").token, **fields}


def _say(letter: DeadLetter, shows_traceback: bool) -> None:
    click.echo(f"{letter.position.token}, {letter.state}")
    click.echo(f"    {letter.category}/{letter.id} version {letter.stream_version}: {letter.event_type} {letter.data}")
    if letter.error:
        click.echo(f"    {letter.error}")
    if shows_traceback and letter.traceback:
        click.echo("".join(f"    {line}\n" for line in letter.traceback.splitlines()), nl=False)
