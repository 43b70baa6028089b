"""Somebody else who writes into the journal's topic."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from random import Random
from typing import Any

from confluent_kafka import Producer

from tests.services.kafka_faults.bank import SHARDS
from tests.services.kafka_faults.ground import Brokers, Ground, serving
from tests.services.kafka_faults.history import Counts
from tests.services.kafka_faults.load import PATIENT_SECONDS, wait_for

FLUSH_SECONDS = 30.0


def foreign_records(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """Garbage, records that were there before once more, frames and claims with forged fields: all are invalid for
    every reader, and whoever serves goes on. A claim of the next epoch is what an executor may write: it takes the
    shard, and the owner claims it back.

    Not among them is a frame with the next number and another `prev`: nobody writes that by accident, and it stops all
    readers (rule R6).
    """
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.executor(rate=60), ground.bank.relay())
        producer = Producer({"bootstrap.servers": brokers.bootstrap, "acks": "all"})
        written = 0
        for _ in range(rounds):
            ground.wait_for_frames(10)
            for shard in range(SHARDS):
                for value in forged(ground, shard, random):
                    producer.produce(ground.bank.kafka.journal_topic, value, partition=shard)
                    written += 1
            assert producer.flush(FLUSH_SECONDS) == 0
            wait_for_invalid(ground, written)
        shard, claims = random.randrange(SHARDS), ground.claims()
        producer.produce(ground.bank.kafka.journal_topic, next_claim(ground, shard), partition=shard)
        assert producer.flush(FLUSH_SECONDS) == 0
        ground.wait_for_claims(claims + 2)  # that one, and the owner's
        counts = ground.finish(publishes=True)
        assert counts.invalid >= written
        return counts


def invalid(ground: Ground) -> int:
    """How many records are invalid, as the reader that follows has found."""
    return sum(sum(reader.invalid.values()) for reader in ground.following.readers)


def wait_for_invalid(ground: Ground, count: int) -> None:
    """Until so many were found invalid."""
    wait_for(lambda: invalid(ground) >= count, PATIENT_SECONDS, lambda: f"{invalid(ground)} of {count} are invalid")


def forged(ground: Ground, shard: int, random: Random) -> list[bytes | None]:
    """Records that must not count, made from those that do."""
    following = ground.following
    valid = [value for _, value in following.records[shard] if value.startswith(b'["shardlog",1,"frame"')]
    claims = dict(following.records[shard])
    claim = json.loads(claims[following.claims[shard][-1]])
    frame = json.loads(random.choice(valid))
    values: list[bytes | None] = [None, b"", random.randbytes(200), b"[", b'["shardlog"]', random.choice(valid)]
    for change in (
        {3: str(uuid.uuid4())},
        {4: (shard + 1) % SHARDS},
        {5: SHARDS + 1},
        {6: claim[6] + 7},
        {7: "0" * 32},
        {8: frame[8] + 100_000},
        {2: "note"},
    ):
        values.append(_bytes([change.get(place, value) for place, value in enumerate(frame)]))
    values.append(_bytes(claim))  # of an epoch that is over, or begun
    values.append(_bytes([claim[6] + 2 if place == 6 else value for place, value in enumerate(claim)]))
    random.shuffle(values)
    return values


def next_claim(ground: Ground, shard: int) -> bytes:
    """A valid claim, by somebody who then does nothing."""
    records, claims = dict(ground.following.records[shard]), ground.following.claims[shard]
    claim = json.loads(records[claims[-1]])
    claim[6] += 1
    claim[7] = uuid.uuid4().hex
    return _bytes(claim)


def _bytes(fields: list[Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
