"""What a proxy does to answers and connections, and to which of them."""

from __future__ import annotations

from enum import Enum

import msgspec

from shardlog.errors import ConfigurationError

PRODUCE = 0
"""Kafka's number of the request that appends records."""


class Kind(Enum):
    """What is done. An answer is one message of a broker to a client."""

    HOLD = "hold"
    """The answer, and all behind it on its connection, wait until the fault ends."""
    DROP = "drop"
    """The answer is taken away; the connection lives on."""
    REPEAT = "repeat"
    """The answer comes twice."""
    DELAY = "delay"
    """The answer comes `delay_ms` later, and those behind it after it."""
    SILENCE = "silence"
    """Nothing passes either way, new connections neither, until the fault ends: a network that swallows packets."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way to be unkind.

    requests: Kafka's numbers of the requests whose answers are meant, empty for all. answers_max: after so many answers
    the rest passes as it is; None for all. delay_ms: of a delay.
    """

    kind: Kind
    requests: frozenset[int] = frozenset()
    answers_max: int | None = None
    delay_ms: int = 0

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a field that means nothing to this kind."""
        if (self.kind is Kind.DELAY) is not (self.delay_ms > 0):
            raise ConfigurationError(f"delay_ms is {self.delay_ms}: a delay has one above 0, and nothing else has")
        if self.kind is Kind.SILENCE and (self.requests or self.answers_max is not None):
            raise ConfigurationError("silence swallows everything: requests and answers_max mean nothing to it")
