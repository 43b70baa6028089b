"""faust's consumer on aiokafka, told to read what is committed, and to begin where sinks' rows end.

faust reads uncommitted records unless the whole app is transactional, and begins at its group's offsets, which lag
behind rows, or are ahead of them where a database was restored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import aiokafka
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from shardlog.errors import ConfigurationError, TopicTruncated
from shardlog.faust.proof import prove

if TYPE_CHECKING:
    from shardlog.faust.app import PublishedApp

_ISOLATION = "_isolation_level"
"""What aiokafka keeps its argument in; faust gives it no other way."""


class CommittedThread(driver.AIOKafkaConsumerThread):
    """The thread that consumes, reading committed records alone."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        if not hasattr(consumer, _ISOLATION):
            raise ConfigurationError(
                f"aiokafka {aiokafka.__version__} has no {_ISOLATION}: records of transactions that failed would be "
                "read. Install the version that constraints.txt names"
            )
        setattr(consumer, _ISOLATION, "read_committed")
        return consumer


class CommittedConsumer(driver.Consumer):
    """Begins where sinks say, and elsewhere at the group's offsets."""

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called whenever this process is given partitions.

        Raises TopicTruncated where records behind a sink's place are gone, TopicChanged where its last record is
        another one now.
        """
        offsets = dict(await super().seek_to_committed())
        for tp, begin in (await self._starts()).items():
            await self._seek(tp, begin)
            offsets[tp] = begin
        return offsets

    async def _starts(self) -> dict[TP, int]:
        """Of several sinks of a topic the one that is furthest behind counts; the others refuse what they have."""
        app = cast("PublishedApp", self.app)
        starts: dict[TP, int] = {}
        assigned = self.assignment()
        for sink in app.sinks:
            own = [TP(tp.topic, tp.partition) for tp in assigned if tp.topic == sink.topic_name]
            if not own:
                continue
            places = await asyncio.to_thread(sink.begin, [tp.partition for tp in own])
            earliest = await self.earliest_offsets(*own)
            begins = dict(earliest)
            known = {}
            for tp in own:
                place = places[tp.partition]
                if place is None or place.offset < 0:
                    continue
                if place.offset + 1 < earliest[tp]:
                    raise _truncated(tp, place.offset, earliest[tp])
                begins[tp] = place.offset + 1
                if place.offset >= earliest[tp]:
                    known[tp] = place
            await prove(app, known)
            starts |= {tp: min(begin, starts.get(tp, begin)) for tp, begin in begins.items()}
        return starts


class CommittedTransport(driver.Transport):
    """aiokafka with that consumer."""

    Consumer = CommittedConsumer


def _truncated(tp: TP, offset: int, earliest: int) -> TopicTruncated:
    return TopicTruncated(
        f"topic {tp.topic}, partition {tp.partition}: rows end with offset {offset}, and the topic begins at "
        f"{earliest}: what stood at {offset + 1} to {earliest - 1}, as far as there was any, is gone, and "
        "nothing is skipped by itself. Publish the events anew, from the journal, and let the sink "
        "read them from the beginning (SqlSink.read_anew); and keep records for longer than workers may be away "
        "(retention.ms)"
    )
