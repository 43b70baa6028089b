"""Executors that are killed, paused, started twice, or die in the middle of a claim."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from tests.services.kafka_faults.bank import SHARDS, RoleProcess
from tests.services.kafka_faults.executor_process import STEPS
from tests.services.kafka_faults.ground import Brokers, Ground, serving
from tests.services.kafka_faults.history import Counts
from tests.services.kafka_faults.load import PATIENT_SECONDS, wait_for

CLAIMS_A_MINUTE_MAX = 200
"""Of two that contend for a shard: each backs off for up to 1 s here, and 5 s by default."""


def executor_killed(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """SIGKILL at any time, with answers given and frames on their way; another process of its name goes on."""
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.relay())
        executor = ground.bank.executor(rate=80).wait_until_serving()
        for _ in range(rounds):
            executor.wait_until_answered(random.randrange(1, 100))
            executor.kill()
            executor = ground.bank.executor(rate=80)
            if random.random() < 0.5:
                executor.wait_until_serving()
        executor.wait_until_serving()
        return ground.finish(publishes=True)


def executor_paused(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """SIGSTOP; its shards are assigned to another, which claims and serves them; SIGCONT: nothing that it says from
    then on is more than what it had in the log before the claim, and its frames count for nobody."""
    with Ground(brokers, directory, random, executors=1).under_load() as ground:
        serving(ground.bank.relay())
        owner = ground.bank.executor(0, rate=80).wait_until_serving()
        for ordinal in range(1, rounds + 1):
            owner.wait_until_answered(random.randrange(1, 60))
            owner.pause()
            before = [len(claims) for claims in ground.following.claims]
            for shard in range(SHARDS):
                ground.bank.assign(shard, ordinal)
            taker = ground.bank.executor(ordinal, rate=80).wait_until_serving()
            claimed = [claims[before[shard]] for shard, claims in enumerate(_claims(ground, before))]
            taker.wait_until_answered(10)
            owner.read()
            said = len(owner.answers)
            owner.resume()
            _wait_until_it_leaves(owner)
            for answer in owner.answers[said:]:
                if answer.token is not None:
                    _, shard, offset, _ = answer.token.split(".")
                    assert int(offset) < claimed[int(shard)], f"acknowledged behind the other's claim: {answer}"
            owner = taker
        return ground.finish(publishes=True)


def two_executors(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """Two processes of one name for the same shards, both alive: one at a time counts, and claims stay bounded."""
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.relay())
        one = ground.bank.executor(0, rate=40).wait_until_serving()
        claims = ground.claims()
        other = ground.bank.executor(0, rate=40)
        ground.wait_for_claims(claims + SHARDS)
        began, before = time.monotonic(), ground.claims()
        for _ in range(rounds):
            ground.wait_for_frames(40)
        ground.wait_for_claims(before + SHARDS + 1)  # they contend: each takes back what the other took
        minutes = (time.monotonic() - began) / 60
        claims = ground.claims() - before
        assert claims <= SHARDS * (CLAIMS_A_MINUTE_MAX * minutes + 10), f"{claims} claims in {minutes * 60:.0f} s"
        random.choice([one, other]).kill()
        return ground.finish(publishes=True)


def claimer_crashed(brokers: Brokers, directory: Path, random: Random, rounds: int) -> Counts:
    """The owner is killed; who takes over dies before it sends its claim, after, when it has landed, or when it has
    read it again; the next one takes over from that."""
    with Ground(brokers, directory, random).under_load() as ground:
        serving(ground.bank.relay())
        for number in range(rounds):
            owner = ground.bank.executor(0, rate=80).wait_until_serving()
            owner.wait_until_answered(random.randrange(1, 40))
            owner.kill()
            step = STEPS[number % len(STEPS)]
            crashing = ground.bank.executor(0, dies=step)
            assert crashing.wait() == -9, f"{step}: {crashing.errors()[-2000:]}"
        serving(ground.bank.executor(0, rate=80))
        return ground.finish(publishes=True)


def _claims(ground: Ground, before: list[int]) -> list[list[int]]:
    """Claims by shard, when each has one more than before."""
    claims = ground.following.claims
    wait_for(
        lambda: all(len(some) > count for some, count in zip(claims, before, strict=True)),
        PATIENT_SECONDS,
        lambda: "not claimed",
    )
    return claims


def _wait_until_it_leaves(owner: RoleProcess) -> None:
    """The one that was paused finds out, and serves nothing any more; then it is ended."""
    owner.wait_until_serving(times=2)
    assert owner.serves == []
    assert owner.terminate() == 0, owner.errors()[-2000:]
