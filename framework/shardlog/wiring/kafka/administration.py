"""What `shardlog admin` does: topics are made, and control records written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import time_ns
from typing import NamedTuple

from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.originals import KIND
from shardlog.adapters.kafka.resetting import reset_sends
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic
from shardlog.journal.accepted_inputs import AcceptedInput
from shardlog.journal.control import META_KEY, encode_meta
from shardlog.journal.owners import Assignment
from shardlog.journal.presence import Presence
from shardlog.model.application import Application
from shardlog.ownership import operations
from shardlog.ownership.view import look
from shardlog.wiring.kafka.log import check_personal, routing_parts
from shardlog.wiring.kafka.topics import all_topics
from shardlog.wiring.settings import Settings


class Made(NamedTuple):
    """A journal. topics: those that were made now."""

    journal: str
    name: str
    shards: int
    categories: tuple[str, ...]
    topics: tuple[str, ...]


class OwnerRow(NamedTuple):
    """One shard. assigned: who should own it. version: of the assignment, 0 where there is none. owner, epoch, address:
    as announced last; empty and 0 where nobody owns it."""

    shard: int
    assigned: str
    version: int
    owner: str
    epoch: int
    address: str


def init(settings: Settings, application: Application) -> Made:
    """Make topics and journal, or add what they lack. What does not fit the journal is refused before anything is made.

    Raises ConfigurationError, JournalMismatch, JournalUnavailable.
    """
    check_personal(application)
    topics = KafkaTopics(settings.kafka)
    name, shards, parts = settings.kafka.journal, settings.journal.shards, routing_parts(application)
    made = topics.create([control_topic(settings.kafka)])
    with _control(settings) as control:
        operations.planned(control, name, shards, parts, 0)
        made += topics.create(all_topics(settings, shards, sorted(application.aggregates)))
        meta = operations.init(control, name, shards, parts, time_ns() // 1000)
        while control.is_overwritten:  # by this one or by another at the same time: what counts must be the newest
            control.write(META_KEY, encode_meta(meta))
            meta = operations.init(control, name, shards, parts, time_ns() // 1000)  # it may have added to it meanwhile
    return Made(meta.journal, meta.name, meta.shards, tuple(sorted(meta.categories)), tuple(made))


class Assigned(NamedTuple):
    """A shard's assignment. owner: what its new owner said of itself last; None where it never did."""

    assignment: Assignment
    owner: Presence | None

    @property
    def is_there(self) -> bool:
        """Whether the owner has started and not ended, as far as it could say so."""
        return self.owner is not None and self.owner.state == "started"


def assign(settings: Settings, shard: int, owner: str) -> Assigned:
    """Say who should own a shard. Raises ConfigurationError, JournalMismatch, JournalUnavailable."""
    with _control(settings) as control:
        assignment = operations.assign(control, shard, owner)
        return Assigned(assignment, look(control.read()).executors.get(owner))


def accept_input(settings: Settings, input: str, gaps: Mapping[int, int]) -> AcceptedInput:
    """Accept an input, and records of it that are gone; of what shards send, all is carried again then.

    Raises JournalMismatch, JournalUnavailable.
    """
    with _control(settings) as control:
        accepted = operations.accept_input(control, input, gaps)
    if carries_sends(settings, input):
        reset_sends(settings.kafka)
    return accepted


def carries_sends(settings: Settings, input: str) -> bool:
    """Whether an input's full name is that of what shards send one another."""
    return input.rpartition(":")[0] == f"{KIND}:{settings.kafka.sends_topic}"


def owners(settings: Settings) -> list[OwnerRow]:
    """Every shard. Raises JournalMismatch, JournalUnavailable."""
    with _control(settings) as control:
        view = look(control.read())
    rows: list[OwnerRow] = []
    for shard in range(view.known_meta.shards):
        said = view.owners.get(shard)
        owner, epoch, address = ("", 0, "") if said is None else (said.owner, said.epoch, said.address)
        assigned = view.owner_of(shard, settings.ownership.executors)
        rows.append(OwnerRow(shard, assigned, view.version_of(shard), owner, epoch, address))
    return rows


@contextmanager
def _control(settings: Settings) -> Iterator[KafkaControl]:
    KafkaTopics(settings.kafka).check([control_topic(settings.kafka)])
    control = KafkaControl(settings.kafka)
    try:
        yield control
    finally:
        control.close()
