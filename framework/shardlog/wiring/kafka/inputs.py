"""What executors read beside the journal: producers' commands, and what shards send one another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from shardlog.adapters.kafka.command_form import ReadAvro
from shardlog.adapters.kafka.commands import KafkaInput, input_name
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.ownership.view import ControlView, look
from shardlog.wiring.kafka.log import OpenLog, until_there
from shardlog.wiring.kafka.topics import input_topics
from shardlog.wiring.settings import Settings


@contextmanager
def kafka_inputs(
    settings: Settings, opened_log: OpenLog, stop: threading.Event, read_avro: ReadAvro | None
) -> Iterator[list[KafkaInput]]:
    """Both topics, with the gaps that an operator accepted; closed at the end.

    While no broker answers it is tried again. Raises ConfigurationError for a topic that is missing or wrong, Stopped.
    """
    topics = KafkaTopics(settings.kafka)
    until_there(lambda: topics.check(input_topics(settings, opened_log.meta.shards)), stop)
    accepted = until_there(lambda: look(opened_log.control.read()).inputs, stop)

    def opened(topic: str, carries_sends: bool) -> KafkaInput:
        found = accepted.get(input_name(topic, topics.id_of(topic)))
        gaps = {} if found is None else found.gaps
        return KafkaInput(settings.kafka, topic, carries_sends=carries_sends, read_avro=read_avro, accepted_gaps=gaps)

    with ExitStack() as closing:
        made: list[KafkaInput] = []
        for topic, carries_sends in ((settings.kafka.commands_topic, False), (settings.kafka.sends_topic, True)):
            made.append(until_there(lambda: opened(topic, carries_sends), stop))  # noqa: B023  # called at once
            closing.callback(made[-1].close)
        yield made


def accept_gaps(inputs: Sequence[KafkaInput], view: ControlView) -> None:
    """Let what an operator has accepted meanwhile count: a shard that a gap holds up looks again by itself."""
    for input in inputs:
        accepted = view.inputs.get(input.name)
        if accepted is not None:
            input.accept_gaps(accepted.gaps)
