"""What the clients saw: each command, each attempt at it, and what was answered."""

from __future__ import annotations

from typing import TypeAlias

from shardlog.executor.requests import CommandRecord, StreamState
from shardlog.model.outcomes import CommandAccepted, CommandRejected, CommandUnavailable, Outcome
from shardlog.testing.simulation.finding import Finding

Place: TypeAlias = tuple[int, int]
"""Offset of the frame, and index in it."""
BEGINNING: Place = (-1, -1)


class Attempt:
    """One sending of a command. outcome: None where no answer has come."""

    __slots__ = ("number", "operation", "outcome", "record")

    def __init__(self, number: int, operation: Operation, record: CommandRecord) -> None:
        self.number = number
        self.operation = operation
        self.record = record
        self.outcome: Outcome | None = None


class Operation:
    """One command of a client, under one id, however often it is sent.

    issued_us: the time in its id, None for an id without one. floor: the highest place in its shard that anybody had
    been told before it was sent first. variants: what was sent under its id, more than one where a client errs.
    """

    __slots__ = ("attempts", "began_ms", "channel", "floor", "is_given_up", "issued_us", "record", "shard", "variants")

    def __init__(
        self, record: CommandRecord, shard: int, channel: str, issued_us: int | None, floor: Place, began_ms: float
    ) -> None:
        self.record = record
        self.shard = shard
        self.channel = channel
        self.issued_us = issued_us
        self.floor = floor
        self.began_ms = began_ms
        self.variants = [record]
        self.attempts: list[Attempt] = []
        self.is_given_up = False

    @property
    def key(self) -> tuple[str, str, str]:
        """The scope of its id, and the id."""
        return self.record.category, self.record.id, self.record.command_id

    @property
    def is_settled(self) -> bool:
        """Whether the client has an answer that is final."""
        return self.is_given_up or any(is_final(attempt.outcome) for attempt in self.attempts)


class Reading:
    """One reading of a stream. found: what was answered, None where nothing was."""

    __slots__ = ("found", "id")

    def __init__(self, id: str) -> None:
        self.id = id
        self.found: StreamState | None = None


def is_final(outcome: Outcome | None) -> bool:
    """Whether nothing is gained by sending the command again."""
    return outcome is not None and not isinstance(outcome, CommandUnavailable)


def place_of(outcome: Outcome | None) -> Place | None:
    """Where an outcome says that the command stands; None where it says nothing."""
    if isinstance(outcome, CommandAccepted | CommandRejected) and outcome.token is not None:
        _, _, offset, index = outcome.token.split(".")
        return int(offset), int(index)
    return None


class History:
    """Operations, and the highest place that was acknowledged in each shard."""

    def __init__(self, shards: int) -> None:
        self.operations: list[Operation] = []
        self.attempts: list[Attempt] = []
        self.readings: list[Reading] = []
        self.highest: list[Place] = [BEGINNING] * shards

    def attempt(self, operation: Operation, record: CommandRecord) -> Attempt:
        """The command is sent (again)."""
        attempt = Attempt(len(self.attempts), operation, record)
        self.attempts.append(attempt)
        operation.attempts.append(attempt)
        return attempt

    def answered(self, attempt: Attempt, outcome: Outcome) -> None:
        """An answer has reached its client. Raises Finding where it is the second one."""
        if attempt.outcome is not None:
            raise Finding(f"attempt {attempt.number} of {attempt.operation.key} was answered twice: {outcome}")
        attempt.outcome = outcome
        place = place_of(outcome)
        if place is not None:
            shard = attempt.operation.shard
            self.highest[shard] = max(self.highest[shard], place)
