"""shardlog: event sourcing over a log that fences itself. These are the names that a domain team uses."""

from msgspec import Meta, field
from msgspec.structs import replace

from shardlog.codec.personal import Personal
from shardlog.errors import DomainError, InvalidId, InvalidToken, Rejection, ShardlogError, reject
from shardlog.model.aggregate import Aggregate
from shardlog.model.application import Application
from shardlog.model.batches import Batch
from shardlog.model.changes import Changes, add, increment, put, remove, update
from shardlog.model.context import Context
from shardlog.model.domain import Domain
from shardlog.model.joins import Join
from shardlog.model.messages import AwareDatetime, Command, Event, Row, State
from shardlog.model.outcomes import CommandAccepted, CommandRejected, CommandUnavailable, Outcome
from shardlog.model.process import ProcessManager, Rejected, Sends
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position, Recorded, RecordedRejection
from shardlog.model.rows import Index, Key
from shardlog.model.stream import Send, Stream, StreamId
from shardlog.model.transaction import Loaded, Transaction
from shardlog.model.windows import calendar_day, calendar_month, hopping, tumbling

__all__ = [
    "Aggregate",
    "Application",
    "AwareDatetime",
    "Batch",
    "Changes",
    "Command",
    "CommandAccepted",
    "CommandRejected",
    "CommandUnavailable",
    "Context",
    "Domain",
    "DomainError",
    "Event",
    "Index",
    "InvalidId",
    "InvalidToken",
    "Join",
    "Key",
    "Loaded",
    "Meta",
    "Outcome",
    "Personal",
    "Position",
    "ProcessManager",
    "Projection",
    "Recorded",
    "RecordedRejection",
    "Rejected",
    "Rejection",
    "Row",
    "Send",
    "Sends",
    "ShardlogError",
    "State",
    "Stream",
    "StreamId",
    "Transaction",
    "add",
    "calendar_day",
    "calendar_month",
    "field",
    "hopping",
    "increment",
    "put",
    "reject",
    "remove",
    "replace",
    "tumbling",
    "update",
]
