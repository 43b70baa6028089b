"""What shards send one another arrives once over a real broker: whoever is killed, money is conserved."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from domain.banking.messages import Deposit, Open, Pay
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.journal.records import Accepted, Rejected
from shardlog.journal.sends import numbered_sends
from tests.services.kafka_relayed import ROOT, RelayedJournal, kill, wait_until
from tests.services.kafka_served import JOURNAL, LEDGERS, SHARDS, Sending, application, envelope, frames
from tests.services.payments import accounts_in, check_money, events_in
from tests.services.processes import Left, left_on

KILLS = 10
PAYMENTS = 600
FUNDS = 100_000
ACCOUNTS = [f"{ledger}:{number}" for ledger in LEDGERS for number in range(3)]
ABSENT = [f"{ledger}:none" for ledger in LEDGERS]


@pytest.fixture
def journal(kafka: str, journal_name: str) -> Iterator[RelayedJournal]:
    made = RelayedJournal(kafka, journal_name, SHARDS, application)
    yield made
    made.close()


class Payments:
    """Commands for the bank, sent by a producer; every twentieth goes to the wrong partition."""

    def __init__(self, journal: RelayedJournal, random: Random) -> None:
        self.sent = [0] * SHARDS
        self.ids: set[str] = set()
        self._journal = journal
        self._random = random
        self._sending = Sending(journal.settings)

    def fund(self) -> None:
        for id in ACCOUNTS:
            self._put(id, envelope(id, Open(owner="ann", daily_limit=10**9), command_id=f"open-{id}"))
            self._put(id, envelope(id, Deposit(amount=FUNDS), command_id=f"fund-{id}"))

    def pay(self, count: int) -> None:
        random = self._random
        for _ in range(count):
            payer = random.choice(ACCOUNTS)
            payee = random.choice([id for id in [*ACCOUNTS, *ABSENT] if id != payer])
            command_id = f"pay-{len(self.ids)}"
            self.ids.add(command_id)
            record = envelope(payer, Pay(to=payee, amount=random.randrange(1, 9)), command_id=command_id)
            self._put(payer, record, is_misrouted=len(self.ids) % 20 == 0)

    def _put(self, id: str, record: bytes, is_misrouted: bool = False) -> None:
        shard = LEDGERS.index(id.partition(":")[0])
        partition = (shard + is_misrouted) % SHARDS
        self._sending.producer.produce(self._journal.settings.commands_topic, record, partition=partition)
        self._sending.producer.poll(0)
        self.sent[partition] += 1

    def flush(self) -> None:
        assert self._sending.producer.flush(30) == 0


def executors(journal: RelayedJournal) -> subprocess.Popen[bytes]:
    arguments = [journal.settings.bootstrap_servers, journal.settings.journal]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.kafka_bank_process", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None and process.stdout.readline() == b"serving\n"
    return process


def left(journal: RelayedJournal) -> list[Left]:
    return left_on(journal.journal, JOURNAL, SHARDS)


def is_at_rest(journal: RelayedJournal, payments: Payments) -> bool:
    """Every payment was decided, and nothing is under way."""
    found = left(journal)
    paid = {entry.command_id for shard in found for _, entry in shard.entries if getattr(entry, "command", "") == "pay"}
    ended = len(events_in(found, "PaymentSettled")) + len(events_in(found, "PaymentReturned"))
    return paid >= payments.ids and ended == len(events_in(found, "PaymentStarted"))


def check_sends(journal: RelayedJournal) -> None:
    """Every send of every frame was taken once by its target, in its order."""
    sent: Counter[tuple[int, int, int, int, int]] = Counter()
    taken: Counter[tuple[int, int, int, int, int]] = Counter()
    for shard in range(SHARDS):
        last: dict[int, tuple[int, int, int]] = {}
        epochs = epochs_of(journal, shard)
        for (epoch, seq), frame in zip(epochs, frames(journal.settings, shard), strict=True):
            sent.update((send.shard, shard, epoch, seq, number) for number, send in numbered_sends(frame))
            for entry in frame.entries:
                origin = entry.origin if isinstance(entry, Accepted | Rejected) else None
                if origin is not None:
                    at = (origin.epoch, origin.seq, origin.number)
                    assert at > last.get(origin.shard, (0, 0, 0))
                    last[origin.shard] = at
                    taken[shard, origin.shard, *at] += 1
    assert len(sent) > PAYMENTS
    assert taken == sent


def epochs_of(journal: RelayedJournal, shard: int) -> list[tuple[int, int]]:
    """Epoch and seq of each valid frame."""
    from shardlog.journal.reader import FrameTaken, Reader

    reader = Reader(JOURNAL, shard, SHARDS)
    return [
        (reader.epoch, reader.seq)
        for offset, value in journal.journal.read(shard, 0)
        if isinstance(reader.pass_over(offset, value), FrameTaken)
    ]


def test_money_is_conserved_when_relay_and_executors_are_killed_at_random(journal: RelayedJournal) -> None:
    random = Random(5)
    payments = Payments(journal, random)
    payments.fund()
    running = [executors(journal), journal.process("bank", JOURNAL)]
    found_under_way = 0
    for run in range(KILLS):
        payments.pay(PAYMENTS // KILLS)
        payments.flush()
        time.sleep(random.random() * 0.3)  # the kill comes anywhere
        victim = run % 2
        kill(running[victim])
        found_under_way += any(state.reserved for state in accounts_in(left(journal)).values())
        running[victim] = journal.process("bank", JOURNAL) if victim else executors(journal)
    wait_until(lambda: is_at_rest(journal, payments), "every payment has ended")
    for process in running:
        kill(process)
    found = left(journal)
    check_money(found, FUNDS * len(ACCOUNTS))
    check_sends(journal)
    assert events_in(found, "PaymentReturned")
    assert found_under_way, "no kill found a payment under way, so this shows nothing"


def test_two_relays_at_once_carry_each_send_once(journal: RelayedJournal) -> None:
    payments = Payments(journal, Random(9))
    payments.fund()
    running = [executors(journal), journal.process("bank", JOURNAL), journal.process("bank", JOURNAL)]
    payments.pay(200)
    payments.flush()
    wait_until(lambda: is_at_rest(journal, payments), "every payment has ended")
    for process in running:
        kill(process)
    check_money(left(journal), FUNDS * len(ACCOUNTS))


def test_a_misrouted_command_is_decided_where_it_belongs(journal: RelayedJournal) -> None:
    sending = Sending(journal.settings)
    id = f"{LEDGERS[0]}:1"
    sending.put(envelope(id, Open(owner="ann", daily_limit=1), command_id="open"), partition=1)
    process = executors(journal)
    commands = KafkaInput(journal.settings, journal.settings.commands_topic)
    relay = journal.relay(inputs=[commands], journal_id=JOURNAL)
    relay.start()
    wait_until(lambda: id in accounts_in(left(journal)), lambda: relay.errors)
    wait_until(lambda: relay.carrier.behind() == 0, lambda: relay.errors)
    relay.stop(5_000)
    commands.close()
    kill(process)
    (entry,) = [entry for _, entry in left(journal)[0].entries]
    assert (entry.command_id, entry.origin.manager, entry.origin.shard) == ("open", "", 1)
