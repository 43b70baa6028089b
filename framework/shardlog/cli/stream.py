"""`shardlog stream`: one stream's events, and the state after each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shardlog.cli.addresses import stream_argument
from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import json_option, load_with_application, settings_option
from shardlog.cli.printing import progress, say_json

if TYPE_CHECKING:
    from shardlog.inspection.history import At, History, Step
    from shardlog.model.application import Application
    from shardlog.model.stream import Stream
    from shardlog.wiring.reading import OpenJournal

LOOK_SECONDS = 0.1


@click.command("stream")
@stream_argument
@click.option("--at", "at_text", metavar="AT", help="End there: a version, a recorded time with its zone, or a token.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new events as they come, until Ctrl-C.")
@settings_option
@json_option
def command(category: str, id: str, at_text: str | None, follow: bool, settings: Path | None, as_json: bool) -> int:
    """Show the stream CATEGORY/ID: its events, and the state after each.

    The application replays it, by its upcasters and evolve; a server may run meanwhile. With --json an event is a line.
    Exits with 2 where the stream has no events, or does not reach the version.

    \b
    shardlog stream account/acme:001 --at 17
    shardlog stream account/acme:001 --at 2026-03-01T12:00:00Z
    shardlog stream account/acme:001 --follow --json
    """
    from shardlog.sharding import shard_of
    from shardlog.wiring.reading import open_journal

    loaded, application = load_with_application(settings)
    stream = _stream(application, category, id)
    with open_journal(loaded.settings.directory, loaded.settings.kafka) as opened:
        shard = shard_of(stream.routing_key, opened.meta.shards)
        at = _at(at_text, opened, shard)
        if follow and at is not None:
            raise click.UsageError("--at ends somewhere and --follow does not: take one of them")
        history = _history(stream, opened, shard, application)
        for step in _steps(history, opened, shard, at):
            _say(step, as_json)
        while follow:
            time.sleep(LOOK_SECONDS)
            for step in history.read(opened.journal):
                _say(step, as_json)
    if not history.version:
        click.echo(f"shardlog: {stream} has no events", err=True)
        return ExitCode.USAGE
    if isinstance(at, int) and at > history.version:
        click.echo(f"shardlog: {stream} stands at version {history.version}, and has no version {at}", err=True)
        return ExitCode.USAGE
    return ExitCode.OK


def _history(stream: Stream[Any, Any, Any], opened: OpenJournal, shard: int, application: Application) -> History:
    """From the beginning; or, where that is cut off, from the oldest snapshot that reaches what is left."""
    from shardlog.inspection.history import History
    from shardlog.wiring.snapshots_read import open_snapshot

    first = opened.first_snapshot(shard)
    if first is None:
        return History(stream, opened.reader(shard))
    with open_snapshot(opened.directory, application, first.about.key) as snapshot:
        history = History.behind(stream, snapshot)
    about = f"the journal's beginning is cut off: {stream} is shown from version {history.version + 1} on"
    click.echo(f"shardlog: {about}", err=True)
    return history


def _steps(history: History, opened: OpenJournal, shard: int, at: At | None) -> Iterator[Step]:
    """Up to where the look ends; a bar shows how far the scan is."""
    from shardlog.inspection.history import is_behind

    with progress() as bars:
        task = bars.add_task(f"shard {shard}", total=opened.records(shard))
        for step in history.read(opened.journal, lambda _offset: bars.advance(task)):
            if at is not None and is_behind(step, at):
                return
            yield step


def _stream(application: Application, category: str, id: str) -> Stream[Any, Any, Any]:
    from shardlog.model.names import closest

    aggregate = application.aggregates.get(category)
    if aggregate is None:
        near = closest(category, application.aggregates)
        raise click.UsageError(
            f"there is no category {category!r}{near}; there are: {', '.join(application.aggregates)}"
        )
    return aggregate.stream(id)


def _at(text: str | None, opened: OpenJournal, shard: int) -> At | None:
    from shardlog.inspection.history import parse_at
    from shardlog.model.recorded import Position

    if text is None:
        return None
    try:
        at = parse_at(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from error
    if isinstance(at, Position) and (at.journal, at.shard) != (opened.meta.journal, shard):
        raise click.BadParameter(
            f"{text} is a place in shard {at.shard} of journal {at.journal}, and this stream is in shard {shard} of "
            f"{opened.meta.journal}: take a token of this stream, or a time",
            param_hint="--at",
        )
    return at


def _say(step: Step, as_json: bool) -> None:
    import msgspec

    from shardlog.codec.json import encode

    state = msgspec.Raw(encode(step.state))
    if as_json:
        shown = {name: getattr(step, name) for name in step.__struct_fields__ if name != "position"}
        say_json({**shown, "state": state, "token": step.position.token})
        return
    _, name, schema = step.type.split("/")
    kind = name if schema == "1" else f"{name} (schema version {schema})"
    by = f" by {step.actor}" if step.actor else ""
    click.echo(f"{step.version} {kind} {bytes(step.data).decode()}")
    click.echo(
        f"    {step.time:%Y-%m-%dT%H:%M:%S.%fZ}, {step.command} {step.command_id}{by}, token {step.position.token}"
    )
    click.echo(f"    state {bytes(state).decode()}")
