"""`shardlog serve`: one role in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.cli.lazy import LazyCommands

COMMANDS: Mapping[str, str] = {
    "executor": "Claim and serve the shards that this executor should own.",
    "relay": "Publish events, replies and dead letters, and carry what shards send one another.",
    "projector": "Keep the projections' tables.",
    "query": "Answer questions about the projections' tables over HTTP.",
}

command = LazyCommands(
    "serve",
    package=__name__,
    about=COMMANDS,
    help="Serve one role, in a process of its own: over a journal on Kafka ([kafka] bootstrap_servers), and `query` "
    "over any projections' tables.",
)
