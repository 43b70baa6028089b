"""`python -m demo.kafka`: a year of flights, and accounts that pay each other, through a Kafka broker, and the proof.

Every role is a process of its own; the tables are in SQLite or PostgreSQL.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console

from demo.__main__ import INTERRUPTED
from demo.application import MONTHS, SHARDS
from demo.feed import FlightsFeed
from demo.job import progress_bars
from demo.kafka.application import application
from demo.kafka.banking import Banking, banking_commands, banking_differences
from demo.kafka.published import published_differences
from demo.kafka.roles import Roles
from demo.kafka.settings import write_settings
from demo.kafka.watching import Watch, wait_until_done
from demo.log import Log
from demo.proving import prove_run, say_proven
from demo.report import print_report
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.errors import ShardlogError
from shardlog.testing.services.kafka.forgetting import delete_topics
from shardlog.testing.services.kafka.found import found_kafka
from shardlog.testing.services.kafka.options import BrokerOptions
from shardlog.testing.services.postgresql.found import found_postgresql
from shardlog.wiring.kafka import administration
from shardlog.wiring.settings import Settings, load_settings
from shardlog.wiring.stores import ProjectionDatabase

DIRECTORY = Path("var/demo-kafka")
EXECUTORS = 2
SHORT_MONTHS_MAX = 3
"""Up to here a broker that starts fast is done before one that compiles itself fully."""


def main() -> int:
    """Run the demo. Returns the exit code: 0 proven, 1 not, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m demo.kafka", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--months", type=int, default=MONTHS, choices=range(1, 13), metavar="1..12", help="how much of the year"
    )
    parser.add_argument(
        "--executors",
        type=int,
        default=EXECUTORS,
        choices=range(1, SHARDS + 1),
        metavar=f"1..{SHARDS}",
        help="in so many processes",
    )
    parser.add_argument("--postgresql", action="store_true", help="the tables in PostgreSQL, started for the run")
    given = parser.parse_args()
    console = Console()
    try:
        return _demo(console, given.months, given.executors, given.postgresql)
    except KeyboardInterrupt:
        console.print("\ninterrupted: every process of the run has ended")
        return INTERRUPTED
    except ShardlogError as error:
        console.print(f"[red]{type(error).__name__}[/]: {error}", highlight=False)
        return 1


def _demo(console: Console, months: int, executors: int, in_postgresql: bool) -> int:
    began = time.monotonic()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    options = BrokerOptions(is_for_throughput=months > SHORT_MONTHS_MAX, heap_mb=600)
    with _broker(console, options) as bootstrap, found_postgresql() if in_postgresql else nullcontext() as postgresql:
        path = write_settings(DIRECTORY, bootstrap, executors, postgresql)
        settings = load_settings(path)
        with _log(settings) as log, Roles(path, executors, months) as roles:
            with console.status(f"starting {executors} executors, relay, projector and producer"):
                roles.start()
            feed, banking = FlightsFeed(months, SHARDS), banking_commands()
            total, database = feed.total() + banking.entries, ProjectionDatabase.of(settings)
            sent = feed.total() + len(banking.records)
            console.print(f"{sent:,} commands for {SHARDS} shards over Kafka at {bootstrap}")
            console.print(f"journal {settings.kafka.journal}; the processes' logs are in {DIRECTORY}")
            console.print(f"tables: {database.place}", soft_wrap=True)
            watch = Watch(settings.kafka, log, database)
            with closing(watch), progress_bars() as progress:
                wait_until_done(watch, sent, total, roles.check, progress)
            with console.status("ending the processes"):
                roles.stop()
            print_report(database, console)
            proven = prove_run(console, log, path, application, months, total)
            proven &= _prove_banking(console, database, banking)
            proven &= _prove_published(console, log, settings)
    console.print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if proven else 1


def _prove_banking(console: Console, database: ProjectionDatabase, banking: Banking) -> bool:
    differences = banking_differences(database, banking)
    for line in differences:
        console.print(f"[red]differs[/] {line}", highlight=False)
    held = f"the accounts hold the {banking.cents:,} cents that came in, none is under way"
    say_proven(console, not differences, f"{held}, and each ledger has what its accounts do")
    return not differences


def _prove_published(console: Console, log: Log, settings: Settings) -> bool:
    with console.status("reading what the relay published"):
        events, differences = published_differences(log, settings.kafka, sorted(application.aggregates))
    for line in differences:
        console.print(f"[red]differs[/] {line}", highlight=False)
    say_proven(console, not differences, f"each of {events:,} events stands once in its topic, in the journal's order")
    return not differences


@contextmanager
def _broker(console: Console, options: BrokerOptions) -> Iterator[str]:
    """host:port,... of the brokers of SHARDLOG_KAFKA, else of one that is started for this run."""
    context = found_kafka(options)
    with console.status("starting a Kafka broker"):
        bootstrap = context.__enter__()
    try:
        yield bootstrap
    finally:
        context.__exit__(None, None, None)


@contextmanager
def _log(settings: Settings) -> Iterator[Log]:
    """A new journal; its topics are deleted at the end, since the next run makes others."""
    made = administration.init(settings, application)
    journal = KafkaJournal(settings.kafka, made.shards)
    try:
        yield Log(journal, made.journal, made.shards)
    finally:
        journal.close()
        delete_topics(settings.kafka.bootstrap_servers, made.topics)


if __name__ == "__main__":
    sys.exit(main())
