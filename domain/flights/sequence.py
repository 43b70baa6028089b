"""Which commands a flight gives rise to, at which instants, and their order among all others.

The data record departures and arrivals only. When a flight was published, cancelled or diverted is not in them: those
instants are conventions of this application, and marked as such below.
"""

from __future__ import annotations

from enum import IntEnum

from domain.flights.instants import MINUTES_A_DAY
from domain.flights.source import FlightFacts


class Step(IntEnum):
    """What happens to a flight. The value is the rank: of commands at one instant the lower comes first."""

    ARRIVE = 0
    DIVERT = 1
    CANCEL = 2
    SCHEDULE = 3
    DEPART = 4

    @property
    def command(self) -> str:
        """The command's wire name, the same for a flight and for its aircraft."""
        return self.name.lower()


ARRIVE, DIVERT, CANCEL, SCHEDULE, DEPART = Step.ARRIVE, Step.DIVERT, Step.CANCEL, Step.SCHEDULE, Step.DEPART
PUBLISHED_BEFORE_MIN = MINUTES_A_DAY
"""A flight is taken to be published a day before its scheduled departure: a convention."""


def steps_of(flight: FlightFacts) -> list[tuple[int, Step, bool]]:
    """(instant, step, whether the aircraft hears of it too) of every command to this flight's stream.

    A flight is cancelled at its scheduled departure and diverted half its scheduled duration after it departed: both
    conventions. An aircraft that was diverted is lost from sight, so the arrival of a diverted flight is not its.
    """
    steps = [(flight.scheduled_departure - PUBLISHED_BEFORE_MIN, SCHEDULE, False)]
    if flight.departure is None:
        steps.append((flight.scheduled_departure, CANCEL, False))
        return steps
    steps.append((flight.departure, DEPART, True))
    diverted = flight.arrival_delay is None
    if diverted:
        steps.append((flight.departure + (flight.scheduled_arrival - flight.scheduled_departure) // 2, DIVERT, True))
    if flight.arrival is not None:
        steps.append((flight.arrival, ARRIVE, not diverted))
    return steps
