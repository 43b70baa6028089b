"""`shardlog serve executor`: the shards of one executor."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import settings_option
from shardlog.cli.serve.serving import avro_of, begun, say_drained, say_serving


@click.command("executor")
@click.option(
    "--ordinal",
    type=click.IntRange(0),
    required=True,
    help="Which executor this is, from 0: it serves what executor-ORDINAL should own.",
)
@settings_option
def command(ordinal: int, settings: Path | None) -> int:
    """Claim and serve the shards that this executor should own: as they were assigned, else shard mod executors.

    Whenever other shards are served than before, one line of JSON on the standard output says which: role, owner,
    journal, shards, waiting (those that the brokers do not let it serve now), failed (those that wait for somebody),
    metrics_port, pid. Ctrl-C or SIGTERM finishes what was taken, releases the shards and ends within [recovery]
    drain_deadline_ms, with 74 where something was left; a second one ends at once, and nothing acknowledged is lost.
    Once all shards have failed, it ends with the exit code of the first one's error.
    """
    loaded, application = begun(settings)

    from shardlog.wiring.exposing import metrics_served
    from shardlog.wiring.kafka.executor import ExecutorProcess
    from shardlog.wiring.kafka.signals import stopped_by_signals

    process = ExecutorProcess(loaded.settings, application, ordinal, avro_of(loaded, application).read_command)
    with stopped_by_signals(process.stop), metrics_served(loaded.settings.metrics, process.figures) as port:
        process.run(lambda serving: say_serving("executor", **serving._asdict(), metrics_port=port))
    return say_drained("executor", process.unsettled)
