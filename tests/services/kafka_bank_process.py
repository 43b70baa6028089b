"""Executors of the bank over topics of a real broker as a process, to be killed; it ends when its input does.

`python -m tests.services.kafka_bank_process BOOTSTRAP JOURNAL`
"""

from __future__ import annotations

import sys

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from tests.services.kafka_served import KafkaServed


def main(bootstrap: str, name: str) -> None:
    settings = KafkaSettings(bootstrap_servers=bootstrap, journal=name)
    inputs = [
        KafkaInput(settings, settings.commands_topic),
        KafkaInput(settings, settings.sends_topic, carries_sends=True),
    ]
    with KafkaServed(settings, inputs):
        print("serving", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
