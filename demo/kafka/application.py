"""What the demo over Kafka serves: flights and banking, each with its tables."""

from __future__ import annotations

from domain.banking import banking
from domain.flights import flights
from projections.banking import balances
from projections.flights import flights as flights_tables
from shardlog import Application

application = Application(domains=[flights, banking], projections=[flights_tables, balances])
