"""`shardlog serve relay`: what derives from the journal's frames beside the tables."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import settings_option
from shardlog.cli.serve.serving import avro_of, begun, say_ended, say_serving


@click.command("relay")
@settings_option
def command(settings: Path | None) -> None:
    """Publish events, replies and dead letters, and carry what shards send one another.

    Once it does, one line of JSON on the standard output says so: role, journal, metrics_port, pid. Ctrl-C or SIGTERM
    ends it after the transaction under way; what is left stands in the journal for the next start. Another relay of the
    same journal takes its place and does no harm.
    """
    loaded, application = begun(settings)

    from shardlog.wiring.exposing import metrics_served
    from shardlog.wiring.kafka.relay import RelayProcess
    from shardlog.wiring.kafka.signals import stopped_by_signals

    process = RelayProcess(loaded.settings, application, avro_of(loaded, application))
    with stopped_by_signals(process.stop), metrics_served(loaded.settings.metrics, process.figures) as port:
        process.run(lambda journal: say_serving("relay", journal=journal, metrics_port=port))
    say_ended("relay")
