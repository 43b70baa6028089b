"""A relay on Kafka as a process, to be killed: it says each transaction, and ends when its input does.

`python -m tests.services.kafka_relay_process APPLICATION SHARDS JOURNAL_ID BOOTSTRAP JOURNAL [HALTS]`. With HALTS it
stops for ever in its so manieth transaction, where all its records are at the broker and nothing is committed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from confluent_kafka import Producer

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.outputs import KafkaOutputs
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.outputs import OutputRecord
from shardlog.relay.limits import PublisherLimits, RelayLimits
from shardlog.wiring.kafka.relaying import KafkaRelay
from tests.services.bank_process import application as bank
from tests.unit.executor.ledger import ledger

APPLICATIONS = {"bank": bank, "ledger": ledger}
PUBLISHER = PublisherLimits(transaction_records_max=50, retry_ms=50, retry_ms_max=200, replaced_ms_max=200)
"""Small transactions: a kill finds one under way."""
CARRIER = RelayLimits(checkpoint_ms=20, retry_ms=50, retry_ms_max=200)


class HaltingOutputs(KafkaOutputs):
    """Halts between produce and commit."""

    halts = 0
    written = 0

    def _produce(self, producer: Producer, records: Sequence[OutputRecord], checkpoints: Sequence[Checkpoint]) -> None:
        super()._produce(producer, records, checkpoints)
        self.written += bool(records)
        if self.written == self.halts:
            producer.flush(10)
            print("halted", flush=True)
            threading.Event().wait()


def main(application: str, shards: int, journal_id: str, bootstrap: str, name: str, halts: str = "0") -> None:
    settings = KafkaSettings(bootstrap_servers=bootstrap, journal=name)
    journal = KafkaJournal(settings, shards)
    relay = KafkaRelay(
        settings,
        journal,
        journal_id,
        shards,
        APPLICATIONS[application],
        [KafkaInput(settings, settings.commands_topic)],
        publisher_limits=PUBLISHER,
        relay_limits=CARRIER,
    )
    relay.publisher._outputs = outputs = HaltingOutputs(settings)
    outputs.halts = int(halts)
    threading.Thread(target=say_progress, args=(relay,), daemon=True).start()
    relay.start()
    sys.stdin.read()
    relay.stop(5_000)
    journal.close()


def say_progress(relay: KafkaRelay) -> None:
    """Each transaction, as it is seen; so a test kills in the middle of the work."""
    said = -1
    while True:
        published = relay.publisher.published
        if published != said:
            said = published
            print(published, flush=True)
        threading.Event().wait(0.002)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
