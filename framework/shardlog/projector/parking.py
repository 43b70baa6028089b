"""Which streams are parked, and which positions a rebuild passes over, as the store's dead letters say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from shardlog.model.recorded import Position, Recorded
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.projections import Stored, Stream


class Parking:
    """What one projection's dead letters mean for the events to come.

    parked: by stream, where its first open dead letter stands (offset, index); what follows waits behind it.
    open: by shard, how many dead letters wait for somebody.
    decided: positions with a dead letter that have not been passed yet, which is only so while rebuilding.
    """

    __slots__ = ("_rebuild_to", "decided", "letters", "open", "parked")

    def __init__(self, stored: Stored, checkpoints: Mapping[int, Checkpoint]) -> None:
        self._rebuild_to = stored.rebuild_to
        self.letters = len(stored.letters)
        self.open = Counter(place.position.shard for place in stored.letters if place.state != "skipped")
        self.parked: dict[Stream, tuple[int, int]] = {}
        self.decided: set[Position] = set()
        for place in stored.letters:
            position = place.position
            if place.state != "skipped":
                self.parked.setdefault((place.category, place.id), (position.offset, position.index))
            known = checkpoints.get(position.shard)
            if known is None or position.offset >= known.next:
                self.decided.add(position)

    @classmethod
    def none(cls) -> Parking:
        """Of a projection without dead letters."""
        return cls(Stored({}, (), {}), {})

    def is_rebuilding(self, position: Position) -> bool:
        """Whether this position was there when a rebuild was asked for: then only what is parked already is parked."""
        return position.offset < self._rebuild_to.get(position.shard, 0)

    def is_behind(self, recorded: Recorded, position: Position) -> bool:
        """Whether the event waits behind an open dead letter of its stream."""
        first = self.parked.get((recorded.category, recorded.id))
        return first is not None and first < (position.offset, position.index)
