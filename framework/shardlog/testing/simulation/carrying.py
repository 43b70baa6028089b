"""What carries sends to their target shards in a simulation: in order by and large, with repeats and gaps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from shardlog.executor.requests import decode_record
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import Accepted, Forwarded, Origin, Rejected, SendRecord, decode_raw_frame
from shardlog.journal.sends import numbered_sends, send_command_id
from shardlog.ports.journal import Journal
from shardlog.ports.sends import At, SendsSource
from shardlog.testing.simulation.crashing import CrashPoints
from shardlog.testing.simulation.environment import JOURNAL, Environment

_encode = msgspec.json.Encoder().encode


class _Outbox:
    """The sends of one source shard to one target, in order."""

    def __init__(self) -> None:
        self.places: list[At] = []
        self.values: list[bytes] = []


class ProcessCarrier(SendsSource):
    """The sends that one process offers to the shards it serves."""

    def __init__(self, environment: Environment, journal: Journal, crashes: CrashPoints) -> None:
        shards = environment.plan.shards
        self._environment = environment
        self._journal = journal
        self._crashes = crashes
        self._readers = [Reader(JOURNAL, shard, shards) for shard in range(shards)]
        self._outboxes = [[_Outbox() for _ in range(shards)] for _ in range(shards)]

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        found: list[bytes] = []
        for source in range(len(self._readers)):
            self._read(source)
            outbox = self._outboxes[source][target]
            last = received.get(source)
            start = 0 if last is None else bisect_right(outbox.places, last)
            if outbox.values:
                start = self._astray(start, len(outbox.values))
            found += outbox.values[start : start + limit - len(found)]
        if found:
            self._crashes.reach("a pull of sends")
        return found

    def _astray(self, start: int, end: int) -> int:
        """Begin too early, or behind a gap, where faults say so."""
        environment = self._environment
        if environment.happens(environment.faults.send_again):
            start = environment.random.randint(max(0, start - 3), start)
        elif start < end and environment.happens(environment.faults.send_gap):
            start += 1
        return start

    def _read(self, source: int) -> None:
        reader = self._readers[source]
        for offset, value in self._journal.read(source, reader.position):
            verdict = reader.pass_over(offset, value)
            if isinstance(verdict, FrameTaken):
                self._take(source, reader.epoch, reader.seq, verdict.body)

    def _take(self, source: int, epoch: int, seq: int, body: memoryview) -> None:
        frame = decode_raw_frame(body)
        senders = [entry for entry in frame.entries if isinstance(entry, Accepted | Rejected) for _ in entry.sends]
        by_send = iter(senders)
        for number, send in numbered_sends(frame):
            origin = ("", source, epoch, seq, number, send.previous)
            if isinstance(send, Forwarded):
                value = self._forwarded(source, send, Origin(*origin))
            else:
                value = _sent(source, next(by_send), send, Origin(send.manager, *origin[1:]))
            outbox = self._outboxes[source][send.shard]
            outbox.places.append((epoch, seq, number))
            outbox.values.append(value)

    def _forwarded(self, source: int, send: Forwarded, origin: Origin) -> bytes:
        feed = next(feed for feed in self._environment.feeds if feed.name == send.input)
        return _encode(msgspec.structs.replace(decode_record(feed.records[source][send.offset]), origin=origin))


def _sent(source: int, entry: Accepted[object] | Rejected, send: SendRecord, origin: Origin) -> bytes:
    command_id = send_command_id(JOURNAL, source, origin.epoch, origin.seq, origin.number)
    correlation = entry.correlation or entry.command_id
    carried = (entry.tenant, entry.actor, correlation, entry.command_id, entry.traceparent, "", None, None)
    return _encode((1, send.category, send.id, send.command, command_id, *carried, send.payload, origin))
