"""What the control records say at one moment: what the journal is, assignments, announcements, accepted inputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from shardlog.errors import JournalMismatch
from shardlog.journal.accepted_inputs import AcceptedInput, decode_accepted_input, is_accepted_input_key
from shardlog.journal.control import META_KEY, Meta, decode_meta
from shardlog.journal.owners import (
    Announcement,
    Assignment,
    assignment_key,
    decode_announcement,
    decode_assignment,
    owner_key,
)
from shardlog.journal.presence import Presence, decode_presence, is_presence_key

OWNER_PREFIX = "executor-"


def owner_name(ordinal: int) -> str:
    """What an executor of this number is called, from 0."""
    return f"{OWNER_PREFIX}{ordinal}"


class ControlView(NamedTuple):
    """One look. meta: None where the journal was never made. By shard; a shard that is in neither was never assigned,
    or never owned. inputs: by full name. executors: by name, what it said of itself last."""

    meta: Meta | None
    assignments: Mapping[int, Assignment]
    owners: Mapping[int, Announcement]
    inputs: Mapping[str, AcceptedInput]
    executors: Mapping[str, Presence] = MappingProxyType({})

    def owner_of(self, shard: int, executors: int) -> str:
        """Who should own it: as it was assigned, else number shard mod executors."""
        assigned = self.assignments.get(shard)
        return owner_name(shard % executors) if assigned is None else assigned.owner

    def version_of(self, shard: int) -> int:
        """The version of its assignment, 0 where there is none."""
        assigned = self.assignments.get(shard)
        return 0 if assigned is None else assigned.version

    def shards_of(self, owner: str, executors: int) -> frozenset[int]:
        """What this owner should own. Raises JournalMismatch where there is no meta record."""
        return frozenset(shard for shard in range(self.known_meta.shards) if self.owner_of(shard, executors) == owner)

    @property
    def known_meta(self) -> Meta:
        """Raises JournalMismatch where there is no meta record."""
        if self.meta is None:
            raise JournalMismatch(
                "the control topic has no meta record, so there is no journal: run `shardlog admin init`"
            )
        return self.meta


def look(values: Mapping[str, bytes]) -> ControlView:
    """The view of these records, by key. What belongs to another journal of the same name is passed over: it is of one
    that was there before. Raises JournalMismatch for a record that does not decode."""
    stored = values.get(META_KEY)
    if stored is None:
        return ControlView(None, {}, {}, {})
    meta = decode_meta(stored)
    assignments, owners, inputs, executors = {}, {}, {}, {}
    for shard in range(meta.shards):
        if (value := values.get(assignment_key(shard))) is not None:
            assignment = decode_assignment(value)
            if (assignment.journal, assignment.shard) == (meta.journal, shard):
                assignments[shard] = assignment
        if (value := values.get(owner_key(shard))) is not None:
            announcement = decode_announcement(value)
            if (announcement.journal, announcement.shard) == (meta.journal, shard):
                owners[shard] = announcement
    for key, value in values.items():
        if is_accepted_input_key(key):
            accepted = decode_accepted_input(value)
            if accepted.journal == meta.journal:
                inputs[accepted.input] = accepted
        elif is_presence_key(key):
            presence = decode_presence(value)
            if presence.journal == meta.journal:
                executors[presence.name] = presence
    return ControlView(meta, assignments, owners, inputs, executors)


def check_categories(meta: Meta, categories: Mapping[str, int]) -> None:
    """Refuse an application with a category that the meta record lacks, or has with other routing parts.

    categories: routing parts by category, 0 for the whole id. Raises JournalMismatch.
    """
    for category, parts in sorted(categories.items()):
        known = meta.categories.get(category)
        if known is None:
            raise JournalMismatch(
                f"journal {meta.name!r} does not know category {category!r} yet: run `shardlog admin init` with this "
                "application, which adds it, then start again"
            )
        if known != parts:
            raise JournalMismatch(
                f"journal {meta.name!r} routes category {category!r} by {known or 'all'} parts of its ids, and the "
                f"application by {parts or 'all'}: set it back, or give the aggregate another category"
            )
