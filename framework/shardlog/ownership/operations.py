"""What an operator does to the control records: make the journal, assign shards, accept inputs. No process does it
unasked."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from shardlog.errors import ConfigurationError
from shardlog.journal.accepted_inputs import AcceptedInput, accepted_input_key, encode_accepted_input
from shardlog.journal.control import META_KEY, Meta, encode_meta, merge_meta
from shardlog.journal.owners import Assignment, assignment_key, encode_assignment
from shardlog.ownership.view import look
from shardlog.ports.control import Control


def init(control: Control, name: str, shards: int, categories: Mapping[str, int], now_us: int) -> Meta:
    """Write the journal's meta record, or add the categories that it lacks. Idempotent, and several may do it at once.

    What was written is read back: where another one was first, its journal counts for everybody, and gets the
    categories that it lacks.

    categories: routing parts by category, 0 for the whole id. now_us: microseconds since 1970 UTC. Raises
    JournalMismatch where the journal has other shards, another hash, or other routing parts of a category.
    """
    while True:
        stored, meta = planned(control, name, shards, categories, now_us)
        if stored is meta:
            return stored
        control.write(META_KEY, encode_meta(meta))


def planned(
    control: Control, name: str, shards: int, categories: Mapping[str, int], now_us: int
) -> tuple[Meta | None, Meta]:
    """The meta record as it stands, None where there is none, and as `init` leaves it. Raises as `init` does."""
    stored = look(control.read()).meta
    journal = str(uuid.uuid4()) if stored is None else stored.journal
    wanted = Meta(journal, name, now_us, shards, dict(sorted(categories.items())))
    return stored, wanted if stored is None else merge_meta(stored, wanted)


def assign(control: Control, shard: int, owner: str) -> Assignment:
    """Say who should own a shard, from now on. The owner of before drains and releases it, the new one claims it.

    Raises ConfigurationError for a shard that there is not, or an owner without a name; JournalMismatch where there is
    no journal.
    """
    view = look(control.read())
    meta = view.known_meta
    if not 0 <= shard < meta.shards:
        raise ConfigurationError(f"shard {shard} is not one of {meta.shards}: they are numbered from 0")
    if not owner:
        raise ConfigurationError(f"shard {shard} is to be assigned to somebody: name the owner, as in executor-0")
    known = view.assignments.get(shard)
    if known is not None and known.owner == owner:
        return known
    assignment = Assignment(meta.journal, shard, view.version_of(shard) + 1, owner)
    control.write(assignment_key(shard), encode_assignment(assignment))
    return assignment


def accept_input(control: Control, input: str, gaps: Mapping[int, int]) -> AcceptedInput:
    """Accept an input by its full name: in place of another incarnation, and without the records that are gone.

    gaps: by shard, the offset below which records may be missing; a higher one that was accepted before stays.
    Raises JournalMismatch where there is no journal.
    """
    view = look(control.read())
    known = view.inputs.get(input)
    merged = dict(known.gaps) if known is not None else {}
    for shard, offset in gaps.items():
        merged[shard] = max(offset, merged.get(shard, 0))
    accepted = AcceptedInput(view.known_meta.journal, input, merged)
    control.write(accepted_input_key(input), encode_accepted_input(accepted))
    return accepted
