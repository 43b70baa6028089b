"""`shardlog projections retry`: dead letters, handled again in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, say_json


@click.command("retry")
@click.argument("projection", shell_complete=complete_projection)
@click.argument("stream", required=False, metavar="[CATEGORY/ID]")
@settings_option
@json_option
def command(projection: str, stream: str | None, settings: Path | None, as_json: bool) -> int:
    """Handle the dead letters of PROJECTION again with the code at hand: those of one stream, or of all of them.

    Each stream's are worked through in order, a transaction each. The first that fails again ends its stream, and stays
    with those behind it; other streams go on, and it exits with 1 at the end.
    """
    from shardlog.errors import HandlerFailed
    from shardlog.wiring.operating import operating

    if stream is not None and "/" not in stream:
        raise click.UsageError(f"{stream!r} is no stream: name it as CATEGORY/ID, as `dead-letters` shows it")
    loaded, application = load_with_application(settings)
    failures: list[str] = []
    with operating(loaded.settings, application) as projections:
        before = projections.dead_letters(projection, include_skipped=False)
        streams = list(dict.fromkeys((letter.category, letter.id) for letter in before))
        for category, id in streams if stream is None else [_among(streams, stream, projection)]:
            try:
                projections.retry(projection, category, id)
            except HandlerFailed as error:
                failures.append(str(error))
        left = {letter.position for letter in projections.dead_letters(projection, include_skipped=False)}
    handled = sum(letter.position not in left for letter in before)
    if as_json:
        say_json({"projection": projection, "handled": handled, "failures": failures})
    else:
        click.echo(f"{projection}: {count(handled, 'dead letter')} handled")
    for failure in failures:
        click.echo(f"shardlog: {failure}", err=True)
    return ExitCode.FAILED if failures else ExitCode.OK


def _among(streams: Sequence[tuple[str, str]], stream: str, projection: str) -> tuple[str, str]:
    """The stream of this text. Raises click.UsageError for one without dead letters."""
    from shardlog.model.names import closest

    known = ["/".join(there) for there in streams]
    if stream not in known:
        raise click.UsageError(
            f"projection {projection!r} has no open dead letter of stream {stream!r}{closest(stream, known)}; "
            f"`shardlog projections dead-letters {projection}` shows which there are"
        )
    return streams[known.index(stream)]
