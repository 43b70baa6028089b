"""`shardlog dev`: the application over HTTP, all roles in this process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import load, settings_option

if TYPE_CHECKING:
    from shardlog.wiring.serving import Listening


@click.command("dev")
@click.option("--host", help="The address to listen at.  [default: gateway.host of the settings, 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="The port; 0 takes a free one.  [default: gateway.port of the settings, 8420]",
)
@click.option("--allow-remote", is_flag=True, help="Let other hosts connect. There is no authentication.")
@settings_option
def command(settings: Path | None, host: str | None, port: int | None, allow_remote: bool) -> None:
    """Serve the application over HTTP, with all roles in this process.

    Once requests are taken, one line of JSON on the standard output says where: url, host, port, journal, pid. Ctrl-C
    or SIGTERM finishes what was taken and ends; a second one ends at once, and nothing acknowledged is lost.
    """
    import msgspec

    from shardlog.errors import ConfigurationError
    from shardlog.telemetry.logs import configure_logging
    from shardlog.wiring.loading import import_from
    from shardlog.wiring.setting_list import secrets_of

    try:
        from shardlog.wiring.serving import serve
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"serving over HTTP needs {error.name}: pip install 'shardlog[http]'") from error

    loaded = load(settings)
    configure_logging(loaded.settings.logging, sys.stderr, secrets_of(loaded.settings))
    import_from(loaded.folder)
    known = loaded.settings.gateway
    gateway = msgspec.structs.replace(
        known,
        host=known.host if host is None else host,
        port=known.port if port is None else port,
        allow_remote=known.allow_remote or allow_remote,
    )
    serve(
        msgspec.structs.replace(loaded.settings, gateway=gateway), lambda at: _announce(at, loaded.settings.directory)
    )
    click.echo("shardlog dev: everything that was taken is finished", err=True)


def _announce(listening: Listening, directory: Path) -> None:
    said = {"url": listening.url, **listening._asdict(), "pid": os.getpid()}
    click.echo(json.dumps(said))
    click.echo(f"shardlog dev serves {directory} at {listening.url} (Ctrl-C ends it)", err=True)
    sys.stdout.flush()
