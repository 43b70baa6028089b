"""The input port: a source of commands with offsets, such as a partition of a commands topic or a feeder.

Offsets make an input exactly-once: the frames say which is the first offset not settled, and a restart reads from
there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Input(ABC):
    """Commands for each shard, each at an offset of that shard's own sequence."""

    @property
    @abstractmethod
    def name(self) -> str:
        """KIND:NAME:INCARNATION, as it stands in frames; another incarnation means that offsets name other records.

        KIND is the channel of its commands: `feeder` or `kafka`.
        """

    @property
    def carries_sends(self) -> bool:
        """Whether its records may have an origin, since only a relay can write there. Any other is refused."""
        return False

    def end(self, shard: int) -> int | None:
        """The offset behind the last record that is known now, for figures; None where it is not known.

        It asks nobody and returns at once. From any thread.
        """
        return None

    @abstractmethod
    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Up to `limit` offsets and values, in growing order, from `start`; empty where nothing is there now.

        It returns at once, and may be called from several threads: the build thread reads on, and a relay reads single
        records of before again. A value is the JSON array that `shardlog.executor.requests.CommandRecord` describes.
        """
