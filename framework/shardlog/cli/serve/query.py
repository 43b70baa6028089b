"""`shardlog serve query`: the projections' tables over HTTP, to be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import load_with_application, settings_option
from shardlog.cli.printing import say_json

if TYPE_CHECKING:
    from shardlog.wiring.serving import Listening


@click.command("query")
@click.option("--host", help="The address to listen at.  [default: query.host of the settings, 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="The port; 0 takes a free one.  [default: query.port of the settings, 8430]",
)
@click.option("--allow-remote", is_flag=True, help="Let other hosts connect. There is no authentication.")
@settings_option
def command(settings: Path | None, host: str | None, port: int | None, allow_remote: bool) -> None:
    """Answer questions about the projections' tables over HTTP, reading what others keep.

    Once requests are taken, one line of JSON on the standard output says where: role, url, host, port, pid. Ctrl-C or
    SIGTERM ends it when what was asked is answered; a second one ends it at once.
    """
    import msgspec

    from shardlog.errors import ConfigurationError
    from shardlog.telemetry.logs import configure_logging
    from shardlog.wiring.setting_list import secrets_of

    try:
        from shardlog.wiring.querying import serve_queries
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the query API needs {error.name}: pip install 'shardlog[query]'") from error

    loaded, application = load_with_application(settings)
    configure_logging(loaded.settings.logging, sys.stderr, secrets_of(loaded.settings))
    known = loaded.settings.query
    query = msgspec.structs.replace(
        known,
        host=known.host if host is None else host,
        port=known.port if port is None else port,
        allow_remote=known.allow_remote or allow_remote,
    )
    used = loaded._replace(settings=msgspec.structs.replace(loaded.settings, query=query))
    serve_queries(used, application, _announce)
    click.echo("shardlog serve query: ended; everything that was asked is answered", err=True)


def _announce(listening: Listening) -> None:
    say_json(
        {"role": "query", "url": listening.url, "host": listening.host, "port": listening.port, "pid": os.getpid()}
    )
    sys.stdout.flush()
