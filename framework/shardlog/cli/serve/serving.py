"""What the commands of `shardlog serve` share: settings, the log on the standard error, the line that says where."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.options import load_with_application
from shardlog.cli.printing import count, say_json

if TYPE_CHECKING:
    from shardlog.model.application import Application
    from shardlog.wiring.kafka.avro import LazyAvro
    from shardlog.wiring.settings import Loaded


def begun(settings: Path | None) -> tuple[Loaded, Application]:
    """Settings and application; the log goes to the standard error. Raises ConfigurationError and DomainError."""
    from shardlog.errors import ConfigurationError
    from shardlog.telemetry.logs import configure_logging
    from shardlog.wiring.setting_list import secrets_of

    try:
        import confluent_kafka  # noqa: F401  # asked for here, so that its absence is said in words
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"a journal on Kafka needs {error.name}: pip install 'shardlog[kafka]'") from error
    loaded, application = load_with_application(settings)
    configure_logging(loaded.settings.logging, sys.stderr, secrets_of(loaded.settings))
    if not loaded.settings.kafka.bootstrap_servers:
        raise ConfigurationError(
            "kafka setting bootstrap_servers is empty, so there is no journal on Kafka to work on: name some brokers, "
            "as host:port. One in a directory is served by `shardlog dev`"
        )
    return loaded, application


def avro_of(loaded: Loaded, application: Application) -> LazyAvro:
    """What reads and writes Avro; nothing is asked before the first value comes."""
    from shardlog.wiring.kafka.avro import LazyAvro

    return LazyAvro(application, loaded.settings.schemas, loaded.folder)


def say_serving(role: str, **where: object) -> None:
    """One line of JSON on the standard output: the role takes work from here on."""
    say_json({"role": role, **where, "pid": os.getpid()})
    sys.stdout.flush()


def say_ended(role: str) -> None:
    """The last line, for people, of a role that takes nothing from anybody: it derives from the journal."""
    click.echo(f"shardlog serve {role}: ended; what it has not done stands in the journal for its next start", err=True)


def say_drained(role: str, unsettled: Mapping[int, int]) -> int:
    """The last line, for people, of a role that takes commands; returns the exit code.

    unsettled: by shard, how many commands were taken whose outcome this process did not learn.
    """
    if not unsettled:
        click.echo(f"shardlog serve {role}: everything that was taken is finished", err=True)
        return ExitCode.OK
    commands = count(sum(unsettled.values()), "command")
    shards = ", ".join(f"shard {shard}: {number}" for shard, number in unsettled.items())
    click.echo(
        f"shardlog serve {role}: ended, and it is not known what came of {commands} ({shards}): they may stand in the "
        "journal or not. Nothing is lost: whoever serves these shards next finds out, and takes what is missing from "
        "the topic again; who waited for an answer sends it again under the same command id",
        err=True,
    )
    return ExitCode.UNFINISHED
