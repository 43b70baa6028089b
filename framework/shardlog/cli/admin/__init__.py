"""`shardlog admin`: what an operator does to a journal on Kafka and to its tables, and no process does unasked."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.cli.lazy import LazyCommands

COMMANDS: Mapping[str, str] = {
    "init": "Make the topics and the journal, or add what a new application brings.",
    "assign": "Say which executor should own a shard.",
    "accept-input": "Accept an input that is another one than before, or lacks records.",
    "grant-reads": "Let a role of PostgreSQL read the projections' tables.",
    "owners": "Show which executor should own each shard, and which one says that it does.",
}

command = LazyCommands(
    "admin",
    package=__name__,
    about=COMMANDS,
    help="Make and change a journal on Kafka ([kafka] bootstrap_servers), and say who may read tables in PostgreSQL.",
)
