"""What one executor should own, as the control records said it when they could be read last."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from shardlog.errors import JournalMismatch, ShardlogError
from shardlog.journal.control import Meta
from shardlog.ownership.view import ControlView, look
from shardlog.ports.control import Control

log = logging.getLogger("shardlog.ownership")


class Assignments:
    """Looked at anew by `refresh`, from one thread; asked from any.

    meta: of the journal that is open. owner: whose shards are asked for. executors: how many there are. now_ms: a clock
    that never goes back, in milliseconds.
    Raises JournalMismatch, JournalUnavailable and other ShardlogErrors at the first look.
    """

    def __init__(self, control: Control, meta: Meta, owner: str, executors: int, now_ms: Callable[[], float]) -> None:
        self._control = control
        self._journal = meta.journal
        self._owner = owner
        self._executors = executors
        self._now_ms = now_ms
        self._said = ""
        self._looked_ms = now_ms()
        self._is_wanted = False
        self.view: ControlView = self._looked()

    def refresh(self) -> bool:
        """Look again; False where that cannot be, which is logged once: what was known before goes on to count.

        The journal is the fence, so a shard that is another's meanwhile does no harm.
        """
        began_ms = self._now_ms()
        self._is_wanted = False
        try:
            self.view = self._looked()
        except ShardlogError as error:
            if str(error) != self._said:
                log.warning("%s: the assignments of before count until they can be read again", error)
                self._said = str(error)
            return False
        finally:
            self._looked_ms = began_ms
        if self._said:
            log.warning("the assignments can be read again")
            self._said = ""
        return True

    @property
    def mine(self) -> frozenset[int]:
        """The shards that this owner should own."""
        return self.view.shards_of(self._owner, self._executors)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for the next look."""
        return self._is_wanted

    def is_mine(self, shard: int, since_ms: float = -math.inf) -> bool | None:
        """Whether this owner should own it; None where it was last looked at before that time."""
        if self._looked_ms < since_ms:
            self._is_wanted = True
            return None
        return self.view.owner_of(shard, self._executors) == self._owner

    def _looked(self) -> ControlView:
        view = look(self._control.read())
        found = view.known_meta.journal
        if found != self._journal:
            raise JournalMismatch(
                f"the control records are of journal {found}, and journal {self._journal} was opened: somebody made it "
                "anew. End this process, find out why, and start it again"
            )
        return view
