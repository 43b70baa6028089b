"""`shardlog dead-letters`: the commands that nobody goes on from, and how an operator resolves one."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shardlog.cli.options import json_option, load, settings_option
from shardlog.cli.printing import count, instant, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shardlog.adapters.kafka.settings import KafkaSettings
    from shardlog.ports.relay import CommandDeadLetter

ORIGINAL_BYTES_SHOWN = 200


@click.command("dead-letters")
@click.option("--all", "shows_all", is_flag=True, help="Show those that are resolved, too.")
@click.option("--retried", metavar="TOKEN", help="Mark the one at TOKEN: the command is sent again by hand.")
@click.option("--rejected", metavar="TOKEN", help="Mark the one at TOKEN: the command is not sent again.")
@settings_option
@json_option
def command(shows_all: bool, retried: str | None, rejected: str | None, settings: Path | None, as_json: bool) -> None:
    """Show the dead letters of commands that are open, or mark one as resolved; a server may run meanwhile.

    A dead letter is resolved once: a second mark is refused, with exit code 2. Marking sends nothing, and changes
    nothing but the letter. With --json a letter is a line. Of a journal on Kafka it shows all that stand in the topic
    of dead letters; they cannot be marked there.
    """
    from shardlog.errors import CheckpointMoved
    from shardlog.wiring.command_letters import open_command_letters

    if sum((shows_all, retried is not None, rejected is not None)) > 1:
        raise click.UsageError("--all, --retried and --rejected exclude each other: take one of them")
    loaded = load(settings)
    if loaded.settings.kafka.bootstrap_servers:
        if retried is not None or rejected is not None:
            raise click.UsageError(
                f"the journal is on Kafka, and its dead letters are records of topic "
                f"{loaded.settings.kafka.dead_letters_topic}, which cannot be marked: keep elsewhere what you have "
                "dealt with, by token; a token as command id applies a command once"
            )
        _show_published(loaded.settings.kafka, as_json)
        return
    with open_command_letters(loaded.settings.directory) as letters:
        try:
            if retried is not None:
                letters.resolve(retried, "retried")
            elif rejected is not None:
                letters.resolve(rejected, "rejected")
            else:
                _show(letters.all(), shows_all, as_json)
                return
        except CheckpointMoved as error:
            raise click.UsageError(str(error)) from error
    done = {"token": retried or rejected, "state": "rejected" if retried is None else "retried"}
    if as_json:
        say_json(done)
    else:
        click.echo(f"{done['token']}: {done['state']}")


def _show_published(settings: KafkaSettings, as_json: bool) -> None:
    from shardlog.wiring.kafka.letters import published_letters

    _show(published_letters(settings), True, as_json)


def _show(letters: Iterable[CommandDeadLetter], shows_all: bool, as_json: bool) -> None:
    shown = 0
    for letter in letters:
        if not shows_all and letter.state != "open":
            continue
        shown += 1
        if as_json:
            say_json(_fields(letter))
        else:
            _say(letter)
    if not as_json:
        click.echo(count(shown, "dead letter") if shows_all else count(shown, "open dead letter"))


def _fields(letter: CommandDeadLetter) -> dict[str, Any]:
    """For programs. original: base64, as JSON holds no bytes."""
    import msgspec

    fields = msgspec.structs.asdict(letter)
    del fields["position"]
    original = None if letter.original is None else base64.b64encode(letter.original).decode()
    return {"token": letter.position.token, **fields, "original": original}


def _say(letter: CommandDeadLetter) -> None:
    state = "" if letter.state == "open" else f", {letter.state}"
    what = f"{letter.category}/{letter.id} {letter.command} {letter.payload}".strip(" /")
    click.echo(f"{letter.position.token}{state}")
    if what:
        click.echo(f"    {what}")
    click.echo(f"    {letter.code}: {letter.message}")
    if letter.original is not None:
        click.echo(f"    original {_shown(letter.original)}")
    origin = f"sent by {letter.manager}" if letter.manager else f"from {letter.input} offset {letter.input_offset}"
    belongs_to = (
        f", {'process' if letter.manager else 'correlation'} {letter.correlation}" if letter.correlation else ""
    )
    click.echo(f"    {origin}{belongs_to}, at {instant(letter.time)}")


def _shown(original: bytes) -> str:
    """The beginning of a record, for people; --json has all of it."""
    beginning = repr(original[:ORIGINAL_BYTES_SHOWN])[1:]
    return beginning if len(original) <= ORIGINAL_BYTES_SHOWN else f"{beginning}... ({len(original)} bytes)"
