"""The journal and the control records that every role opens first, as long as it takes until brokers answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic, journal_topic
from shardlog.errors import ConfigurationError, JournalUnavailable
from shardlog.journal.control import Meta
from shardlog.model.application import Application
from shardlog.ownership.view import check_categories, look
from shardlog.wiring.settings import Settings

log = logging.getLogger("shardlog.kafka")
RETRY_SECONDS = 1.0
T = TypeVar("T")


class Stopped(Exception):
    """The process was told to end before it had begun to serve."""


class OpenLog(NamedTuple):
    """What is open. meta: as it stood when it was opened."""

    journal: KafkaJournal
    control: KafkaControl
    meta: Meta


@contextmanager
def opened(settings: Settings, application: Application, stop: threading.Event) -> Iterator[OpenLog]:
    """The journal that the settings name, checked against topics, settings and application; closed at the end.

    While no broker answers it is tried again, and said once. Raises ConfigurationError and JournalMismatch where
    somebody must act, Stopped once `stop` is set.
    """
    control = until_there(lambda: KafkaControl(settings.kafka), stop)
    try:
        meta = until_there(lambda: _checked(settings, application, control), stop)
        journal = KafkaJournal(settings.kafka, meta.shards)
        try:
            yield OpenLog(journal, control, meta)
        finally:
            journal.close()
    finally:
        control.close()


def until_there(ask: Callable[[], T], stop: threading.Event) -> T:
    """Ask again for as long as no broker answers. Raises Stopped once `stop` is set, and every other error."""
    said = ""
    while not stop.is_set():
        try:
            return ask()
        except JournalUnavailable as error:
            if str(error) != said:
                said = str(error)
                log.warning("%s; it is tried again every %.0f s", error, RETRY_SECONDS)
            stop.wait(RETRY_SECONDS)
    raise Stopped


def routing_parts(application: Application) -> Mapping[str, int]:
    """By category, as the meta record has it: 0 for the whole id."""
    return {name: aggregate.routing_parts or 0 for name, aggregate in application.aggregates.items()}


def check_personal(application: Application) -> None:
    """Refuse what would stand in the journal for all to read. Raises ConfigurationError."""
    if application.holds_personal:
        raise ConfigurationError(
            "the application has Personal fields, and there is no key store to seal them: their values would stand in "
            "the journal for all to read. Leave the fields out"
        )


def _checked(settings: Settings, application: Application, control: KafkaControl) -> Meta:
    check_personal(application)
    topics = KafkaTopics(settings.kafka)
    topics.check([control_topic(settings.kafka)])
    meta = look(control.read()).known_meta
    topics.check([journal_topic(settings.kafka, meta.shards, settings.executor.frame_bytes_max)])
    check_categories(meta, routing_parts(application))
    return meta
