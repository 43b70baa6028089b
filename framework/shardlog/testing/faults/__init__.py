"""An unkind network between clients and real brokers."""

from shardlog.testing.faults.fault import PRODUCE, Fault, Kind
from shardlog.testing.faults.proxy import FaultProxy

__all__ = ["PRODUCE", "Fault", "FaultProxy", "Kind"]
