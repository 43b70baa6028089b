"""Payments between shards while everything fails at random: appends, executors, relays, their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from shardlog.adapters.memory.faulty import Faults, FaultyJournal
from shardlog.adapters.memory.relay import MemoryRelayStore
from shardlog.executor.mode import Mode
from shardlog.journal.records import Accepted
from shardlog.ports.sends import At, SendsSource
from shardlog.relay.limits import RelayLimits
from shardlog.relay.runner import Relay
from shardlog.sharding import shard_of
from tests.unit.executor.ledger import Deposit, Pay, ledger
from tests.unit.executor.served import JOURNAL, Served, everything, replayed

SHARDS = 3
KEYS = [next(f"k{n}" for n in range(100) if shard_of(f"k{n}", SHARDS) == shard) for shard in range(SHARDS)]
ACCOUNTS = [f"{key}:{n}" for key in KEYS for n in range(2)]
FUNDS = 1_000
LIMITS = RelayLimits(held_sends_max=9, checkpoint_ms=0, retry_ms=0, read_records_max=5)


class Carrier(SendsSource):
    """Two relays; a target asks now the one, now the other."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        return self._walk.random.choice(self._walk.relays).waiting(target, received, limit)


class Walk:
    """Three shards, two relays and whoever pays."""

    def __init__(self, seed: int, unkindness: float) -> None:
        self.random = Random(seed)
        self.journal = FaultyJournal(SHARDS)
        self.faults = [Faults(self.journal, self.random, unkindness, shard) for shard in range(SHARDS)]
        self.store = MemoryRelayStore()
        self.relays = [self.relay(), self.relay()]
        sends = Carrier(self)
        self.shards = [
            Served(self.journal, number=n, shards=SHARDS, sends=sends, name=f"walk-{n}") for n in range(SHARDS)
        ]
        self.sends = sends
        self.payments = 0

    def relay(self) -> Relay:
        return Relay(
            self.journal,
            JOURNAL,
            SHARDS,
            ledger,
            self.store,
            lambda: {n: served.shard.received for n, served in enumerate(self.shards)},
            lambda: 0.0,
            limits=LIMITS,
        )

    def begin(self) -> None:
        for served in self.shards:
            served.serve()
        for account in ACCOUNTS:
            served = self.shards[shard_of(account.partition(":")[0], SHARDS)]
            served.send(account, Deposit(amount=FUNDS), command_id=f"fund-{account}")

    def step(self) -> None:
        random = self.random
        shard = random.randrange(SHARDS)
        served = self.shards[shard]
        what = random.random()
        if what < 0.15:
            self.pay(shard)
        elif what < 0.5:
            self.faults[shard].step()
        elif what < 0.85:
            if served.shard.mode is Mode.BACKING_OFF:
                served.world.wait(10_000)
            served.shard.step()
        elif what < 0.96:
            random.choice(self.relays).step()
        elif what < 0.975:
            self.relays[random.randrange(2)] = self.relay()
        elif what < 0.98:
            self.store.forget_checkpoints()
        elif what < 0.99:
            served.world.wait(11_000)
        else:
            self.shards[shard] = served.restarted(sends=self.sends)

    def pay(self, shard: int) -> None:
        """Also within a shard, and amounts that the payee does not take."""
        payer = f"{KEYS[shard]}:{self.random.randrange(2)}"
        payee = self.random.choice([account for account in ACCOUNTS if account != payer])
        self.payments += 1
        payment = f"p{self.payments}"
        amount = self.random.choice([1, 2, 5, 13])
        self.shards[shard].submit(payer, Pay(to=payee, amount=amount, payment=payment), command_id=payment)

    def end(self) -> None:
        """All faults are over: whatever is under way comes to its end."""
        for _ in range(1_000):
            for served in self.shards:
                served.world.wait(11_000)  # what was lost is given up by its deadline
                served.settle()
            moved = [relay.step() for relay in self.relays]
            if not any(moved) and all(relay.behind() == 0 for relay in self.relays):
                return
        raise AssertionError(f"sends stay under way: {[relay.behind() for relay in self.relays]}")

    def entries(self) -> list[Any]:
        return [entry for served in self.shards for entry in served.entries()]


@pytest.mark.parametrize("unkindness", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_money_is_conserved_and_each_payment_goes_its_way_once(seed: int, unkindness: float) -> None:
    walk = Walk(seed, unkindness)
    walk.begin()
    for _ in range(2_500):
        walk.step()
    walk.end()
    states = [walk.shards[shard_of(a.partition(":")[0], SHARDS)].state(a) for a in ACCOUNTS]
    assert [state.reserved for state in states] == [{}] * len(ACCOUNTS)
    assert sum(state.balance for state in states) == FUNDS * len(ACCOUNTS)
    received = [bytes(event.data) for entry in walk.entries() for event in events_of(entry) if "received" in event.type]
    assert len(set(received)) == len(received) > 50
    started = [entry for entry in walk.entries() if entry.command == "pay" and isinstance(entry, Accepted)]
    ended = [entry for entry in walk.entries() if entry.command in ("settle", "give_back")]
    assert len(started) == len(ended)
    assert all(isinstance(entry, Accepted) for entry in ended)
    assert {entry.command for entry in ended} == {"settle", "give_back"}
    assert walk.store.dead_letters(JOURNAL, 10) == []
    for served in walk.shards:
        assert replayed(served) == everything(served.core.state)


def events_of(entry: Any) -> list[Any]:
    return entry.events if isinstance(entry, Accepted) else []


def test_an_engine_refusal_is_a_dead_letter_and_what_is_behind_it_goes_on() -> None:
    """The target refuses in its own frames, so that its sequence goes on; the relay finds them there."""
    walk = Walk(1, 0.0)
    walk.begin()
    walk.shards[0].submit(f"{KEYS[0]}:0", Pay(to=f"{KEYS[1]}:0", amount=5, payment="first"))
    walk.shards[0].settle()
    target = walk.shards[1]
    receive = target.core.state.registry.handlers.pop(("account", "receive"))
    for relay in walk.relays:
        relay.step()
    target.settle()
    target.core.state.registry.handlers[("account", "receive")] = receive
    walk.shards[0].submit(f"{KEYS[0]}:0", Pay(to=f"{KEYS[1]}:0", amount=7, payment="second"))
    walk.end()
    (refused,) = walk.store.dead_letters(JOURNAL, 10)
    assert (refused.code, refused.command, refused.manager) == ("unknown_command", "receive", "payments")
    assert '"first"' in refused.payload
    payer = walk.shards[0].state(f"{KEYS[0]}:0")
    assert payer.reserved == {"first": 5}
    assert target.state(f"{KEYS[1]}:0").balance == FUNDS + 7
