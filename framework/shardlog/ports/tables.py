"""The port of tables that are only read: one SELECT at a time, of whatever the database's own SQL has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple


class Selected(NamedTuple):
    """What a SELECT gives: names of columns, and rows as they are fetched."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


class Tables(ABC):
    """A database's tables, which nothing can be changed in through this."""

    @abstractmethod
    def select(self, sql: str) -> AbstractContextManager[Selected]:
        """Run one SELECT; rows can be fetched while the context lasts.

        Raises QueryRefused for what is no SELECT, is several, or is not run by the database; StoreUnavailable and
        StoreFailed where the database cannot be asked. So does fetching rows.
        """
