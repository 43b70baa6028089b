"""The fields that flights and aircraft share, with the limits that their commands keep."""

from __future__ import annotations

from typing import Annotated

from shardlog import Meta, StreamId

Airport = Annotated[str, Meta(min_length=3, max_length=3, description="IATA code")]
Carrier = Annotated[str, Meta(min_length=2, max_length=2, description="IATA code")]
Tail = Annotated[str, Meta(min_length=1, max_length=10, description="registration of an aircraft")]
Distance = Annotated[int, Meta(gt=0, description="statute miles")]
AirTime = Annotated[int, Meta(gt=0, description="minutes between the runways")]
FlightId = StreamId
