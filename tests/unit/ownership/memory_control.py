"""Control records in memory, as a stand-in; it passes the port's contract suite."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.errors import JournalUnavailable
from shardlog.ports.control import Control


class MemoryControl(Control):
    """values: shared by all that are opened over them. is_away: whether brokers do not answer now."""

    def __init__(self, values: dict[str, bytes] | None = None) -> None:
        self.values: dict[str, bytes] = {} if values is None else values
        self.is_away = False
        self.written = 0

    def read(self) -> Mapping[str, bytes]:
        self._ask()
        return dict(self.values)

    def write(self, key: str, value: bytes) -> None:
        self._ask()
        self.written += 1
        self.values[key] = value

    def close(self) -> None:
        """Nothing is held."""

    def _ask(self) -> None:
        if self.is_away:
            raise JournalUnavailable("no broker answers")
