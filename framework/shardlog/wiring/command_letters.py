"""The dead letters of commands in a journal's directory: shown and resolved, beside whoever serves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from shardlog.adapters.sql.relay_store import SqlRelayStore
from shardlog.adapters.sqlite.control import read_meta
from shardlog.errors import CheckpointMoved
from shardlog.model.recorded import Position
from shardlog.ports.relay import CommandDeadLetter, RelayStore

FILE_NAME = "relay.sqlite"
PAGE_LETTERS = 1_000


class CommandLetters:
    """Those of one journal. store: None where no relay has run yet, so that there are none."""

    def __init__(self, journal: str, store: RelayStore | None) -> None:
        self._journal = journal
        self._store = store

    def all(self) -> Iterator[CommandDeadLetter]:
        """In the order of positions, page by page. Raises StoreUnavailable, StoreFailed."""
        after: Position | None = None
        while self._store is not None:
            page = self._store.dead_letters(self._journal, PAGE_LETTERS, after)
            yield from page
            if len(page) < PAGE_LETTERS:
                return
            after = page[-1].position

    def resolve(self, token: str, state: Literal["retried", "rejected"]) -> None:
        """Mark an open one as resolved. Nothing is sent.

        Raises InvalidToken for a text that is no position, CheckpointMoved where none is open there, StoreUnavailable,
        StoreFailed.
        """
        position = Position.parse(token)
        if self._store is None:
            raise CheckpointMoved(f"there is no open dead letter at {position.token}: there are none at all")
        self._store.resolve(position, state)


@contextmanager
def open_command_letters(directory: Path) -> Iterator[CommandLetters]:
    """Raises JournalMismatch where there is no journal."""
    journal = read_meta(directory).journal
    path = directory / FILE_NAME
    store = SqlRelayStore(path) if path.exists() else None
    try:
        yield CommandLetters(journal, store)
    finally:
        if store is not None:
            store.close()
