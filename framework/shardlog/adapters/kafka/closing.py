"""Readers are freed in the background: with brokers gone that may take its time, and nobody is to wait for it."""

from __future__ import annotations

import threading
from contextlib import suppress

from confluent_kafka import Consumer

from shardlog.adapters.kafka.errors import FOREIGN_ERRORS


def close_behind(consumer: Consumer) -> None:
    """Free it, and return at once. It is not to be used any more."""

    def close() -> None:
        with suppress(*FOREIGN_ERRORS):  # nothing is committed and no group joined, so nothing is lost
            consumer.close()

    threading.Thread(target=close, name="shardlog-kafka-close", daemon=True).start()
