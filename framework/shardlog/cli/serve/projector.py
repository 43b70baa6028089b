"""`shardlog serve projector`: the projections' tables."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import settings_option
from shardlog.cli.serve.serving import begun, say_ended, say_serving


@click.command("projector")
@settings_option
def command(settings: Path | None) -> None:
    """Keep the tables of all projections in the database of [projections], by default a file of [journal] directory.

    Once they are kept, one line of JSON on the standard output says so: role, journal, metrics_port, pid. Ctrl-C or
    SIGTERM ends it after the transaction under way.
    """
    loaded, application = begun(settings)

    from shardlog.wiring.exposing import metrics_served
    from shardlog.wiring.kafka.projector import ProjectorProcess
    from shardlog.wiring.kafka.signals import stopped_by_signals

    process = ProjectorProcess(loaded.settings, application)
    with stopped_by_signals(process.stop), metrics_served(loaded.settings.metrics, process.figures) as port:
        process.run(lambda journal: say_serving("projector", journal=journal, metrics_port=port))
    say_ended("projector")
