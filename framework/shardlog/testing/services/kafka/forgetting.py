"""Deleting the topics of a demonstration or a benchmark from brokers that outlive it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait

from shardlog.testing.services.errors import ServiceFailed

FORGET_SECONDS = 30.0
LOG_WARNINGS = 4


def delete_topics(bootstrap: str, names: Sequence[str]) -> None:
    """Delete them, with all that they hold. Raises ServiceFailed where that does not end in time."""
    from confluent_kafka.admin import AdminClient

    if not names:
        return
    # kept in a name: a client that is dropped takes its answers with it
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": LOG_WARNINGS})
    asked = admin.delete_topics(list(names), operation_timeout=FORGET_SECONDS, request_timeout=FORGET_SECONDS)
    _, late = wait(asked.values(), FORGET_SECONDS)
    failed = {name: future.exception() for name, future in asked.items() if future not in late}
    wrong = [f"{name}: {error}" for name, error in failed.items() if error is not None]
    if late or wrong:
        raise ServiceFailed(f"topics at {bootstrap} were not deleted: {'; '.join(wrong) or 'no answer in time'}")
