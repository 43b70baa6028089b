"""Whether a topic still holds the records that rows were made of, looked at before anything is read on.

A topic that was deleted and published anew has other offsets: to read on at the old ones would leave out events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import aiokafka
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from faust.types import TP

from shardlog.errors import TopicChanged
from shardlog.faust.places import Place

if TYPE_CHECKING:
    from shardlog.faust.app import PublishedApp

PROVE_SECONDS = 10.0
_PROOF_BYTES = 65_536
"""Of a fetch for one record; a larger one comes whole."""


async def prove(app: PublishedApp, places: Mapping[TP, Place]) -> None:
    """Look at the last record of each. Raises TopicChanged where one is not there, or is of another event."""
    if not places:
        return
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=app.kafka_settings.bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_PROOF_BYTES,
        **credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context),
    )
    await consumer.start()
    try:
        partitions = {aiokafka.TopicPartition(*tp): place for tp, place in places.items()}
        consumer.assign(list(partitions))
        for partition, place in partitions.items():
            consumer.seek(partition, place.offset)
        await _compare(consumer, partitions)
    finally:
        await _stop(consumer)


async def _stop(consumer: aiokafka.AIOKafkaConsumer) -> None:
    """Where a fetch is under way, aiokafka 0.14 cancels it, waits for it, and is cancelled by that itself: then its
    connections are still open, and who waits would be taken for cancelled."""
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait({stopping})
    if stopping.cancelled():
        await consumer._client.close()
    else:
        stopping.result()


async def _compare(consumer: aiokafka.AIOKafkaConsumer, left: dict[aiokafka.TopicPartition, Place]) -> None:
    give_up = time.monotonic() + PROVE_SECONDS
    while left and time.monotonic() < give_up:
        found = await consumer.getmany(*left, timeout_ms=500, max_records=1)
        for partition, records in found.items():
            place, record = left.pop(partition), records[0]
            id = dict(record.headers or ()).get("ce_id", b"").decode(errors="replace")
            if record.offset != place.offset or id != place.position.token:
                raise _changed(partition, place, f"at offset {record.offset} there is {id or 'no event'}")
        await asyncio.sleep(0)
    for partition, place in left.items():
        raise _changed(partition, place, f"nothing was found there within {PROVE_SECONDS:g} s")


def _changed(partition: aiokafka.TopicPartition, place: Place, why: str) -> TopicChanged:
    return TopicChanged(
        f"topic {partition.topic}, partition {partition.partition}: rows end with event {place.position.token} at "
        f"offset {place.offset}, and {why}. The topic was deleted and made again, or is of another journal. Where "
        "the same journal's events were published anew, let the sink read them from the beginning (SqlSink.read_anew): "
        "it refuses those that it has"
    )
