"""`shardlog dev`: the application over HTTP, all roles in this process."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import click

PORT = 8420


@click.command("dev")
@click.option(
    "--settings",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("shardlog.toml"),
    show_default=True,
    help="What the application is made of, and where its journal is.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--allow-remote", is_flag=True, help="Let other hosts connect. There is no authentication.")
def command(settings: Path, host: str, port: int, allow_remote: bool) -> None:
    """Serve the application over HTTP, with all roles in this process.

    Once requests are taken, one line of JSON on the standard output says where: url, host, port, journal, pid. Ctrl-C
    or SIGTERM finishes what was taken and ends; a second one ends at once, and nothing acknowledged is lost.
    """
    from shardlog.errors import ConfigurationError
    from shardlog.wiring.loading import load_application
    from shardlog.wiring.settings import load_settings

    try:
        from shardlog.wiring.serving import Listening, serve
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"serving over HTTP needs {error.name}: pip install 'shardlog[http]'") from error

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    found = load_settings(settings)
    root = str(settings.resolve().parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    application = load_application(found.application)
    directory = Path(found.journal.directory)

    def announce(listening: Listening) -> None:
        said = {"url": listening.url, **listening._asdict(), "pid": os.getpid()}
        click.echo(json.dumps(said))
        click.echo(f"shardlog dev serves {directory} at {listening.url} (Ctrl-C ends it)", err=True)
        sys.stdout.flush()

    serve(
        application,
        directory,
        shards=found.journal.shards,
        limits=found.executor,
        host=host,
        port=port,
        allow_remote=allow_remote,
        announce=announce,
    )
    click.echo("shardlog dev: everything that was taken is finished", err=True)
