"""What the command line exits with: few codes, after BSD's sysexits where it has one (docs/cli.md lists them)."""

from __future__ import annotations

from enum import IntEnum

from shardlog.errors import (
    AppendFailed,
    ConfigurationError,
    DomainError,
    InvalidId,
    InvalidToken,
    JournalError,
    JournalHeld,
    JournalUnavailable,
    ObjectStoreFailed,
    OutputsFailed,
    QueryRefused,
    RegistryFailed,
    RegistryUnavailable,
    ReplayDiffers,
    ReplayFailed,
    SchemaRefused,
    ShardlogError,
    SnapshotUnusable,
    StoreUnavailable,
)


class ExitCode(IntEnum):
    """Codes above 128 are signals, as shells report them."""

    OK = 0
    """Done, and nothing is wrong."""
    FAILED = 1
    """It failed in a way that has no code of its own."""
    USAGE = 2
    """The command line is wrong: an unknown option, no such stream or version of it, no such projection, no dead
    letter open there, a SELECT that the database does not run."""
    REFUSED = 3
    """A command was rejected, by the domain or by the engine; or a change of schemas, by those who read them."""
    DAMAGED = 65
    """The journal or a snapshot is damaged, has diverged, or is not readable by this code."""
    UNREACHABLE = 69
    """No server answers at the address."""
    DIFFERS = 70
    """The code at hand does not lead to the state that the journal led to."""
    UNFINISHED = 74
    """It was told to end, and did before all that it had taken was acknowledged; whoever goes on finds out."""
    TRY_LATER = 75
    """Another process holds what is needed, or a store or the brokers are not available now."""
    CONFIGURATION = 78
    """A setting, a topic, credentials, an input, or the application that the settings name, is wrong."""
    INTERRUPTED = 130
    """Ctrl-C."""
    PIPE_CLOSED = 141
    """Whoever read the output stopped reading, as `head` does."""
    TERMINATED = 143
    """SIGTERM."""


_BY_ERROR: tuple[tuple[type[Exception], ExitCode], ...] = (
    (JournalHeld, ExitCode.TRY_LATER),
    (AppendFailed, ExitCode.TRY_LATER),
    (JournalUnavailable, ExitCode.TRY_LATER),
    (OutputsFailed, ExitCode.TRY_LATER),
    (ObjectStoreFailed, ExitCode.TRY_LATER),
    (StoreUnavailable, ExitCode.TRY_LATER),
    (TimeoutError, ExitCode.TRY_LATER),
    (ReplayDiffers, ExitCode.DIFFERS),
    (ReplayFailed, ExitCode.DIFFERS),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (DomainError, ExitCode.CONFIGURATION),
    (RegistryUnavailable, ExitCode.TRY_LATER),
    (RegistryFailed, ExitCode.CONFIGURATION),
    (SchemaRefused, ExitCode.REFUSED),
    (InvalidId, ExitCode.USAGE),
    (InvalidToken, ExitCode.USAGE),
    (QueryRefused, ExitCode.USAGE),
    (JournalError, ExitCode.DAMAGED),
    (SnapshotUnusable, ExitCode.DAMAGED),
    (ShardlogError, ExitCode.FAILED),
)
"""The first that fits counts."""


def exit_code_of(error: Exception) -> ExitCode:
    """The code that an error ends the command with."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAILED)
