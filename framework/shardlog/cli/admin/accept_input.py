"""`shardlog admin accept-input`: an input that is another one than before, or lacks records."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, settings_option
from shardlog.cli.printing import say_json
from shardlog.cli.serve.serving import begun


@click.command("accept-input")
@click.argument("input")
@click.option(
    "--gap",
    "gaps",
    type=(click.IntRange(0), click.IntRange(0)),
    multiple=True,
    metavar="SHARD OFFSET",
    help="Records of this shard below OFFSET are gone and are given up: they were never executed. May be repeated.",
)
@settings_option
@json_option
def command(input: str, gaps: tuple[tuple[int, int], ...], settings: Path | None, as_json: bool) -> None:
    """Accept INPUT, by its full name kafka:TOPIC:TOPIC_ID as an error names it.

    Without --gap: in place of another incarnation of it, which is a topic that was made anew; it is read from its
    start. An executor takes it up at its next start.

    Where INPUT is the topic of what shards send one another, the relay carries all of it again, from the beginning of
    the journal: what its targets have taken they drop.
    """
    loaded, _ = begun(settings)

    from shardlog.wiring.kafka.administration import accept_input, carries_sends

    accepted = accept_input(loaded.settings, input, dict(gaps))
    is_again = carries_sends(loaded.settings, input)
    if as_json:
        say_json({"input": accepted.input, "gaps": sorted(accepted.gaps.items()), "carried_again": is_again})
    else:
        given_up = "".join(
            f"; shard {shard}: without records below {at}" for shard, at in sorted(accepted.gaps.items())
        )
        click.echo(f"{accepted.input}: accepted{given_up}{'; all sends are carried again' if is_again else ''}")
