"""The flights domain: every flight out of New York City in 2013, and the aircraft that flew it."""

from domain.flights.aircraft import aircraft
from domain.flights.flight import flight
from shardlog import Domain

flights = Domain("flights", aggregates=[flight, aircraft])

__all__ = ["aircraft", "flight", "flights"]
