"""`shardlog send`: one command, to a running server, or to the commands topic of a journal on Kafka."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import click

from shardlog.cli.addresses import command_arguments
from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import load, settings_option

if TYPE_CHECKING:
    from shardlog.wiring.settings import Loaded

URL = "http://127.0.0.1:8420"
_TRY_LATER = frozenset({"unavailable", "outcome_unknown"})


@click.command("send")
@command_arguments
@click.option("--command-id", help="Give it when you send a command again; it is applied once.  [default: a fresh one]")
@click.option("--expected-version", type=click.IntRange(0), help="Refuse unless the stream stands there.")
@click.option("--occurred-at", help="When it happened, as in 2026-03-01T12:00:00Z.")
@click.option("--correlation", help="The command id of what this belongs to.")
@click.option("--url", envvar="SHARDLOG_URL", help=f"Where the server is.  [default: {URL}]")
@click.option("--timeout-s", type=click.FloatRange(0.1, 600), default=35.0, show_default=True, help="For the answer.")
@settings_option
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it came.")
def command(
    category: str,
    id: str,
    name: str,
    payload: str,
    command_id: str | None,
    expected_version: int | None,
    occurred_at: str | None,
    correlation: str | None,
    url: str | None,
    timeout_s: float,
    settings: Path | None,
    as_json: bool,
) -> int:
    """Send COMMAND to the stream CATEGORY/ID of a running server, and say what came of it.

    Where the settings name a journal on Kafka, and no --url is given, it goes to the topic of commands, and the reply
    is awaited in the topic of replies.

    PAYLOAD is the command as a JSON object; - reads it from the standard input.

    Exits with 0 where it was accepted, 3 where it was refused, 69 where no server answers, and 75 where nobody knows
    yet: then send it again with the command id that is printed.

    \b
    shardlog send account/acme:001 deposit '{"amount": 5}'
    """
    from shardlog.ids import uuid7

    if command_id is None:
        command_id = uuid7(time.time_ns() // 1000, os.urandom(10))
    elif not command_id:
        raise click.BadParameter(
            "it is empty: give the id, or leave the option out for a fresh one", param_hint="--command-id"
        )
    body = sys.stdin.read() if payload == "-" else payload
    loaded = _on_kafka(settings) if url is None else None
    if loaded is not None:
        from shardlog.cli.send_kafka import Sent, send
        from shardlog.wiring.loading import import_from, load_application

        import_from(loaded.folder)
        application = load_application(loaded.settings.application)
        sent = Sent(category, id, name, body, command_id, expected_version, occurred_at, correlation)
        return send(loaded.settings.kafka, application, sent, timeout_s, as_json, _show)
    url = url or URL
    headers = {
        "content-type": "application/json",
        "idempotency-key": command_id,
        "if-match": None if expected_version is None else f'"{expected_version}"',
        "shardlog-occurred-at": occurred_at,
        "shardlog-correlation": correlation,
    }
    path = "/v1/streams/" + "/".join(quote(part, safe=":~") for part in (category, id, name))
    given = {name: value for name, value in headers.items() if value is not None}
    try:
        status, text = _post(url, path, body.encode(), given, timeout_s)
        answer = json.loads(text)
    except ConnectionRefusedError:
        click.echo(
            f"shardlog: no server answers at {url}: start one with `shardlog dev`, or name it with --url", err=True
        )
        return ExitCode.UNREACHABLE
    except (OSError, ValueError) as error:
        click.echo(
            f"shardlog: {url} gave no answer ({error}), so the command may have been applied: send it again with "
            f"--command-id {command_id}",
            err=True,
        )
        return ExitCode.TRY_LATER
    if as_json:
        click.echo(text)
    else:
        _show(status, answer, command_id)
    if status == 200:
        return ExitCode.OK
    return ExitCode.TRY_LATER if answer.get("code") in _TRY_LATER else ExitCode.REFUSED


def _on_kafka(settings: Path | None) -> Loaded | None:
    """The settings where they name a journal on Kafka. Raises ConfigurationError for those that do not hold."""
    from shardlog.errors import ConfigurationError

    loaded = load(settings)
    if not loaded.settings.kafka.bootstrap_servers:
        return None
    try:
        import confluent_kafka  # noqa: F401  # asked for here, so that its absence is said in words
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"a journal on Kafka needs {error.name}: pip install 'shardlog[kafka]'") from error
    return loaded


def _post(url: str, path: str, body: bytes, headers: dict[str, str], timeout_s: float) -> tuple[int, str]:
    from http.client import HTTPConnection, HTTPException

    where = urlsplit(url)
    if where.scheme != "http" or where.hostname is None:
        raise click.UsageError(f"--url is {url!r}, and must be http://HOST:PORT")
    connection = HTTPConnection(where.hostname, where.port or 80, timeout=timeout_s)
    try:
        connection.request("POST", where.path.rstrip("/") + path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _show(status: int, answer: dict[str, Any], command_id: str) -> None:
    if status != 200:
        click.echo(f"{answer.get('code', status)}: {answer.get('detail', '')}", err=True)
        if answer.get("code") in _TRY_LATER:
            click.echo(f"send it again with --command-id {command_id}", err=True)
        return
    for event in answer["events"]:
        click.echo(f"{event['version']} {event['type']} {json.dumps(event['data'])}")
    if not answer["events"]:
        click.echo("accepted; nothing happened on this stream")
    click.echo(f"token {answer['token']}", err=True)
