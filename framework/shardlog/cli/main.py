"""The command `shardlog`: finds the command that was asked for, runs it, and turns errors into lines and exit codes."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

import click
from stamina.instrumentation import set_on_retry_hooks

from shardlog.cli.exit_codes import ExitCode, exit_code_of
from shardlog.cli.lazy import LazyCommands
from shardlog.errors import ShardlogError

COMMANDS: Mapping[str, str] = {
    "dev": "Serve the application over HTTP, with all roles in this process.",
    "serve": "Serve one role in a process of its own: over a journal on Kafka, and `query` without.",
    "admin": "Make and change a journal on Kafka; let a role read the tables in PostgreSQL.",
    "send": "Send a command, to a running server or over Kafka.",
    "stream": "Show one stream: its events, and the state after each.",
    "inspect": "Show what stands in the journal: frames, claims, and what is invalid.",
    "status": "Show shards, projections, dead letters and snapshots.",
    "verify": "Check the journal's chain, and that the code at hand still leads to the same state.",
    "snapshot": "Take a snapshot of every shard.",
    "rebuild": "Build a projection's tables again from the journal.",
    "projections": "Show and operate projections: builds, lag, dead letters.",
    "query": "Show a projection's tables, as they are or as they were.",
    "erd": "Draw the tables of projections: keys, types, comments.",
    "dead-letters": "Show the commands that nobody goes on from, or mark one as resolved.",
    "schema": "Write, check and register the Avro schemas of messages.",
    "config": "Show every setting: value, unit, range, and where it comes from.",
    "new": "Make a repository for a domain team, with a working aggregate, projection and tests.",
    "completion": "Print the script that completes commands and options in your shell.",
}
"""Each command is the object `command` of the module of its name, with `_` for `-`, imported when it is asked for. One
that has commands of its own is a package with such a list."""
COMPLETE = "_SHARDLOG_COMPLETE"
"""The variable by which a shell asks for completions."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=LazyCommands, package="shardlog.cli", about=COMMANDS, context_settings=CONTEXT)
@click.option("--traceback", "shows_traceback", is_flag=True, help="Show where an error comes from, for a report.")
@click.version_option(package_name="shardlog", prog_name="shardlog")
def shardlog(shows_traceback: bool) -> None:
    """Event sourcing over a log that fences itself.

    Settings come from shardlog.toml and from the environment (SHARDLOG_SECTION_NAME); `shardlog config` shows them.
    Every command explains itself: shardlog COMMAND --help.
    """


class Terminated(BaseException):
    """SIGTERM came: what is open is closed on the way out, as with Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run, and exit with one of `ExitCode`."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    set_on_retry_hooks([])  # whoever tries again says what a reader needs of it
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of is raised as well, and told by us
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit finds no pipe
        code = ExitCode.PIPE_CLOSED
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    try:
        if COMPLETE in os.environ:
            shardlog.main(arguments, prog_name="shardlog", complete_var=COMPLETE)
        with shardlog.make_context("shardlog", list(arguments)) as context:  # `main` would hide a closed pipe
            returned = shardlog.invoke(context)
        return returned if isinstance(returned, int) else ExitCode.OK
    except click.exceptions.Exit as exited:
        return exited.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except Terminated:
        return ExitCode.TERMINATED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (ShardlogError, TimeoutError) as error:
        _tell(error, str(error), arguments)
        return exit_code_of(error)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        _tell(error, str(error), arguments)
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001  # nothing but a line and a code leaves this process
        _tell(error, f"unexpected {type(error).__name__}: {error} (shardlog --traceback shows where)", arguments)
        return ExitCode.FAILED


def _tell(error: Exception, line: str, arguments: Sequence[str]) -> None:
    """The error in words; where it comes from only on demand."""
    if "--traceback" in arguments:
        traceback.print_exception(error)
    click.echo(f"shardlog: {line}", err=True)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    main()
