"""What an owner says of itself on the control topic: that it runs, which shards it has claimed, which it has left.

All of it is a hint for those who look for an owner. The claim in the journal decides, so a hint that is late, lost, or
overwritten by a late one does no harm: it is put right at the next look.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from shardlog.errors import ShardlogError
from shardlog.journal.owners import Announcement, encode_announcement, owner_key
from shardlog.journal.presence import Presence, PresenceState, encode_presence, presence_key
from shardlog.ports.control import Control

log = logging.getLogger("shardlog.ownership")


class Announcer:
    """One owner's. It is used from one thread. address: host:port, or "" where nobody reaches it."""

    def __init__(self, control: Control, journal: str, owner: str, address: str) -> None:
        self._control = control
        self._journal = journal
        self._owner = owner
        self._address = address
        self._known: dict[int, Announcement] = {}
        self._claimed: dict[int, int] = {}
        self._is_hindered = False
        self._presence: Presence | None = None

    def appear(self, state: PresenceState, now_us: int) -> None:
        """Say, at the next `tell`, that this owner has started, or has ended. now_us: microseconds since 1970 UTC."""
        self._presence = Presence(self._journal, self._owner, now_us, state)

    def saw(self, known: Mapping[int, Announcement]) -> None:
        """What stands there now, by shard. What could not be said before is tried again."""
        self._known = dict(known)
        self._is_hindered = False

    def tell(self, owned: Mapping[int, int], alive: Collection[int]) -> None:
        """Say what is not said yet. owned: by shard, the epoch of the own claim. alive: the shards that have not
        stopped: the others that were owned are released.

        A newer owner's announcement is left as it is. What cannot be said is logged, and waits for the next `saw`.
        """
        presence = self._presence
        if presence is not None and self._write(presence_key(self._owner), encode_presence(presence), "that it runs"):
            self._presence = None
        for shard, epoch in owned.items():
            self._claimed[shard] = epoch
            self._say(Announcement(self._journal, shard, epoch, self._owner, self._address))
        for shard, epoch in list(self._claimed.items()):
            if shard not in alive and self._say(Announcement(self._journal, shard, epoch, "", "")):
                del self._claimed[shard]

    def _say(self, said: Announcement) -> bool:
        """True where it stands there, or something newer does."""
        known = self._known.get(said.shard)
        if known == said or (known is not None and known.epoch > said.epoch):
            return True
        what = f"who owns shard {said.shard}"
        if not self._write(owner_key(said.shard), encode_announcement(said), what):
            return False
        self._known[said.shard] = said
        return True

    def _write(self, key: str, value: bytes, what: str) -> bool:
        if self._is_hindered:
            return False
        try:
            self._control.write(key, value)
        except ShardlogError as error:
            log.warning("%s: it cannot be announced %s; it is tried again: %s", self._owner, what, error)
            self._is_hindered = True
            return False
        return True
