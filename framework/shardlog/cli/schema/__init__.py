"""`shardlog schema`: the Avro schemas of commands and events."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.cli.lazy import LazyCommands

COMMANDS: Mapping[str, str] = {
    "export": "Write the Avro schema of every command and event, where no change is refused.",
    "check": "Compare the classes at hand with the schemas that are stored, and refuse what readers could not follow.",
    "register": "Register every schema with the schema registry, before the code is deployed.",
}

command = LazyCommands(
    "schema",
    package=__name__,
    about=COMMANDS,
    help="Write the Avro schemas of messages, or check that no reader is left behind by a change.",
)
