"""Brokers that outlive the command: `python -m shardlog.testing.services.kafka up|down`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from shardlog.errors import ShardlogError
from shardlog.testing.services.kafka.kept import Up, down, up

_SAID = """\
Kafka at {bootstrap}: {did}

In shardlog.toml, beside your code:

[kafka]
bootstrap_servers = "{bootstrap}"

or, instead of that line, in the environment of every `shardlog` command:

export SHARDLOG_KAFKA_BOOTSTRAP_SERVERS={bootstrap}

`make test` and `make demo-kafka` take this broker, in place of one of their own, by

export SHARDLOG_KAFKA={bootstrap}

Next: `shardlog admin init`, where shardlog.toml is. After a crash, `make kafka-up` starts it again at the same address,
with its data; `make kafka-down` ends it and deletes them."""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, or 1 with what is wrong on the error output."""
    parser = argparse.ArgumentParser(prog="python -m shardlog.testing.services.kafka", description=__doc__)
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("--brokers", type=int, default=1, help="how many are started, 1 to 9 (default 1)")
    parser.add_argument("--directory", type=Path, default=Path("var/kafka"), help="where data and logs stand")
    given = parser.parse_args(arguments)
    directory = given.directory.resolve()
    try:
        print(_said(up(directory, given.brokers)) if given.what == "up" else _ended(directory, down(directory)))
    except ShardlogError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _said(what: Up) -> str:
    return _SAID.format(bootstrap=what.bootstrap, did=what.did)


def _ended(directory: Path, count: int | None) -> str:
    if count is None:
        return f"nothing stands in {directory}: there is nothing to end"
    return f"{count} broker(s) ended, and {directory} is deleted"


if __name__ == "__main__":
    sys.exit(main())
