"""Sends as a relay brings them: which are to be decided; repeats and gaps are counted apart (rule D3)."""

from __future__ import annotations

import logging

from shardlog.executor.draft import Draft
from shardlog.executor.sends import Arrival, arrival
from shardlog.executor.state import Shard, ShardState
from shardlog.journal.records import Origin
from shardlog.ports.sends import At

log = logging.getLogger("shardlog.executor")
_COUNTED = {Arrival.REPEAT: "repeated", Arrival.GAP: "gap"}


class Carried:
    """Compares sends with what a shard has taken of their source."""

    def __init__(self, state: ShardState, shard: Shard) -> None:
        self._state = state
        self._shard = shard
        self._gaps: dict[int, At | None] = {}

    def is_new(self, origin: Origin, draft: Draft) -> bool:
        """Whether it is the next of its source; another leaves no entry, and is counted."""
        last = self._state.received.get(origin.shard)
        found = arrival(origin, last)
        if found is Arrival.NEW:
            return True
        draft.count(_COUNTED[found])
        if found is Arrival.GAP and self._gaps.get(origin.shard, ()) != last:
            self._gaps[origin.shard] = last
            self._say(origin, last)
        return False

    def _say(self, origin: Origin, last: At | None) -> None:
        """Once for what is missing, whatever comes behind it."""
        log.warning(
            "shard %d: send %s of shard %d came before its turn and is not taken: %s is to come before it, and the "
            "last one taken is %s. After an error a relay brings it again by itself; if this stays, records of the "
            "topic of sends were lost: `shardlog admin accept-input` with that topic makes the relay bring all again",
            self._shard.number,
            (origin.epoch, origin.seq, origin.number),
            origin.shard,
            origin.previous,
            last,
            extra={"journal": self._shard.journal, "shard": self._shard.number},
        )
