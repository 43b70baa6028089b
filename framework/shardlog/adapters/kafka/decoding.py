"""A thread that reads the Avro of one shard's records, so that a slow registry holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

from confluent_kafka import Message

from shardlog.adapters.kafka.arriving import Arriving

BATCH_RECORDS = 200


class Decoding:
    """Decodes what was put off for one shard, in order. It ends once the shard is released.

    lock: of the shard's Arrivals. record: from a message to what is taken, which may wait for a registry, and raise.
    stopped: called with the lock where it raised. arrived: called when there is something to take.
    """

    def __init__(
        self,
        arriving: Arriving,
        lock: threading.Lock,
        record: Callable[[Message], bytes],
        stopped: Callable[[Arriving, Exception], None],
        arrived: Callable[[], None],
    ) -> None:
        self._arriving = arriving
        self._lock = lock
        self._record = record
        self._stopped = stopped
        self._arrived = arrived
        self._is_there = threading.Event()
        threading.Thread(target=self._run, name=f"shardlog-avro-{arriving.shard}", daemon=True).start()

    def wake(self) -> None:
        """There is something to decode, or the shard was released."""
        self._is_there.set()

    def _run(self) -> None:
        arriving = self._arriving
        while not arriving.is_released:
            self._is_there.wait()
            with self._lock:
                move, messages = arriving.move, list(islice(arriving.undecoded, BATCH_RECORDS))
                if not messages:
                    self._is_there.clear()
                    continue
            records, failure = self._decoded(messages)
            size = sum(len(message.value() or b"") for message in messages[: len(records)])
            with self._lock:
                if arriving.move != move or arriving.is_released:
                    continue
                arriving.decoded(records, size)
                if failure is not None:
                    self._stopped(arriving, failure)
            self._arrived()

    def _decoded(self, messages: list[Message]) -> tuple[list[tuple[int, bytes]], Exception | None]:
        """Up to the first that cannot be decoded now."""
        records: list[tuple[int, bytes]] = []
        for message in messages:
            try:
                record = self._record(message)
            except Exception as failure:  # noqa: BLE001  # whatever reading Avro asks: the record is asked for again
                return records, failure
            records.append((message.offset() or 0, record))
        return records, None
