"""Tables of the flights domain."""

from projections.flights import aircraft, on_time
from projections.flights.tables import flights

__all__ = ["aircraft", "flights", "on_time"]
