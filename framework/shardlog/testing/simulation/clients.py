"""The clients: they send commands, lose answers, send again under the same id, and sometimes err."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import msgspec

from shardlog.codec.json import encode
from shardlog.executor.requests import CommandRecord, Found, Read, Request, StreamState
from shardlog.ids import uuid7
from shardlog.model.messages import Command
from shardlog.model.outcomes import CommandRejected, CommandUnavailable, Outcome
from shardlog.sharding import routing_key, shard_of
from shardlog.testing.simulation.bank import Deposit, Open, Pay, Stumble, Transfer, Withdraw, account
from shardlog.testing.simulation.environment import LIMITS, WINDOW_MS, Environment
from shardlog.testing.simulation.history import Attempt, History, Operation, Reading, place_of
from shardlog.testing.simulation.process import Process

LEDGERS = 5
ACCOUNTS = tuple(f"l{ledger}:{name}" for ledger in range(LEDGERS) for name in "ab")
CHANNELS = ("http", "grpc", "local")
BURSTS = (1, 1, 2, 5)
"""So many commands are sent at once."""
RECENT = 12
"""A client repeats one of its newest commands."""


def shard_of_account(id: str, shards: int) -> int:
    """The shard of an account."""
    return shard_of(routing_key(id, account.routing_parts), shards)


def record_of(id: str, command: Command, command_id: str, **more: Any) -> CommandRecord:
    """A command's record; `more` are its other fields."""
    texts = dict.fromkeys(("tenant", "actor", "correlation", "causation", "traceparent", "reply_to"), "")
    fields: dict[str, Any] = {**texts, "expected_version": None, "occurred_at": None, **more}
    name = type(command).__wire_name__
    payload = msgspec.Raw(encode(command))
    return CommandRecord(
        format=1, category="account", id=id, command=name, command_id=command_id, payload=payload, **fields
    )


def random_command(random: Random, id: str, is_new: bool = False) -> Command:
    """A command for an account; some will be refused. is_new: the account may not be open yet."""
    if is_new and random.random() < 0.8:
        return Open()
    kind = random.choices((Open, Deposit, Withdraw, Transfer, Pay, Stumble), (1, 8, 5, 6, 10, 0.3))[0]
    amount = random.randint(1, 9)
    if kind is Open or kind is Stumble:
        return kind()
    if kind is Deposit or kind is Withdraw:
        return kind(amount=amount * (10 if kind is Deposit else 1))
    if kind is Transfer and random.random() < 0.9:
        return Transfer(to=f"{routing_key(id, 1)}:{random.choice('ab')}", amount=amount)
    return (Transfer if kind is Transfer else Pay)(to=random.choice(ACCOUNTS), amount=amount)


class Told:
    """An outcome, to be read by people."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __str__(self) -> str:
        outcome = self._outcome
        if isinstance(outcome, CommandUnavailable):
            return f"{outcome.code}: {outcome.message}"
        place = place_of(outcome)
        where = "not recorded" if place is None else f"at {place[0]}.{place[1]}"
        if isinstance(outcome, CommandRejected):
            return f"{outcome.code}, {where}"
        return f"accepted, {where}: {', '.join(map(str, outcome.events)) or 'nothing happened'}"


class Sink:
    """Takes answers on their way from one process to the clients: the process may end before or after."""

    def __init__(self, clients: Clients, process: Process) -> None:
        self._clients = clients
        self._process = process

    def deliver(self, answers: list[tuple[Any, Any]], /) -> None:
        """Hand over the answers of one frame."""
        for ticket, outcome in answers:
            self._process.crashes.reach("before an answer")
            self._clients.hear(self._process.label, ticket, outcome)
        self._process.crashes.reach("after answers")


class Clients:
    """All clients. find: the processes that a request for this shard may go to."""

    def __init__(self, environment: Environment, history: History, find: Callable[[int, bool], Process | None]) -> None:
        self._environment = environment
        self._history = history
        self._find = find
        self._late: list[Attempt] = []
        self._keys: set[tuple[str, str]] = set()
        self._met: set[str] = set()

    def step(self) -> None:
        """A client does something."""
        faults, random, history = self._environment.faults, self._environment.random, self._history
        if random.random() < 0.15:
            self._read()
        if self._late and random.random() < 0.1:
            self._submit(self._late.pop(random.randrange(len(self._late))))
        elif history.operations and self._environment.happens(faults.request_again):
            recent = -RECENT if random.random() < 0.7 else 0
            self._send(random.choice(history.operations[recent:]))
        elif random.random() < 0.4 and (unsettled := self._unsettled()):
            self._send(random.choice(unsettled))
        else:
            for _ in range(random.choice(BURSTS)):
                operation = self._new()
                history.operations.append(operation)
                self._send(operation)

    def settle(self) -> bool:
        """Send again what has no final answer. Returns whether all have one."""
        for attempt in self._late:
            self._submit(attempt)
        self._late.clear()
        unsettled = self._unsettled()
        for operation in unsettled:
            self._send(operation)
        return not unsettled

    def probe(self) -> None:
        """A last command for each shard: it must still be served."""
        environment = self._environment
        for shard in range(environment.plan.shards):
            id = next(
                id for id in (f"probe{n}:a" for n in count()) if shard_of_account(id, environment.plan.shards) == shard
            )
            record = record_of(id, Open(), uuid7(environment.clock.us, bytes(8) + shard.to_bytes(2, "big")))
            issued_us = environment.clock.us // 1000 * 1000
            floor = self._history.highest[shard]
            operation = Operation(record, shard, "local", issued_us, floor, environment.clock.ms)
            self._history.operations.append(operation)
            self._send(operation)

    def hear(self, who: str, asked: Attempt | Reading, outcome: Outcome | Found) -> None:
        """An answer leaves a process; it may be lost on its way."""
        if isinstance(asked, Reading):
            asked.found = outcome if isinstance(outcome, StreamState) else None
        elif not isinstance(outcome, StreamState):
            self._hear(who, asked, outcome)

    def _hear(self, who: str, attempt: Attempt, outcome: Outcome) -> None:
        environment = self._environment
        is_lost = environment.happens(environment.faults.reply_lost)
        name = attempt.operation.record.command_id[-12:]
        environment.trace.note(
            who,
            attempt.operation.shard,
            "answers %s (attempt %s)%s: %s",
            name,
            attempt.number,
            ", which is lost" if is_lost else "",
            Told(outcome),
        )
        if not is_lost:
            self._history.answered(attempt, outcome)

    def _read(self) -> None:
        environment = self._environment
        id = environment.random.choice(ACCOUNTS)
        shard = shard_of_account(id, environment.plan.shards)
        process = self._find(shard, environment.happens(environment.faults.stray))
        if process is not None:
            reading = Reading(id)
            self._history.readings.append(reading)
            process.submit(shard, Read("account", id, Sink(self, process), reading))

    def _unsettled(self) -> list[Operation]:
        """Operations to send again. An id without a time is given up before it leaves the window."""
        found: list[Operation] = []
        now = self._environment.clock.ms
        for operation in self._history.operations:
            if not operation.is_settled:
                if operation.issued_us is None and now - operation.began_ms > WINDOW_MS / 2:
                    operation.is_given_up = True
                else:
                    found.append(operation)
        return found

    def _new(self) -> Operation:
        environment, history = self._environment, self._history
        random, shards = environment.random, environment.plan.shards
        id = random.choice(ACCOUNTS)
        shard = shard_of_account(id, shards)
        issued_us = self._issued_us()
        number = len(history.operations)
        command_id = f"plain-{number:08}"
        if issued_us is not None:
            command_id = uuid7(issued_us, number.to_bytes(10, "big"))
            issued_us = issued_us // 1000 * 1000
        elif history.operations and random.random() < 0.2:
            old = history.operations[-1]
            if (id, old.record.command_id) not in self._keys:  # the same id in another scope
                command_id, issued_us = old.record.command_id, old.issued_us
        self._keys.add((id, command_id))
        expected = random.randrange(4) if random.random() < 0.05 else None
        record = record_of(id, random_command(random, id, id not in self._met), command_id, expected_version=expected)
        self._met.add(id)
        channel = random.choice(CHANNELS)
        return Operation(record, shard, channel, issued_us, history.highest[shard], environment.clock.ms)

    def _issued_us(self) -> int | None:
        environment = self._environment
        random, now = environment.random, environment.clock.us
        if environment.happens(environment.faults.old_id):
            return now - (WINDOW_MS + random.randint(1, 2_000)) * 1000
        if environment.happens(environment.faults.future_id):
            return now + random.randint(1, 2 * LIMITS.clock_ahead_max_ms) * 1000
        return now if random.random() < 0.7 else None

    def _send(self, operation: Operation) -> None:
        environment = self._environment
        record = operation.record
        if operation.attempts and environment.happens(environment.faults.altered):
            record = msgspec.structs.replace(record, payload=msgspec.Raw(b'{"amount":3}'), command="deposit")
            if record not in operation.variants:
                operation.variants.append(record)
        attempt = self._history.attempt(operation, record)
        if environment.happens(environment.faults.request_lost):
            return
        if environment.happens(environment.faults.request_late):
            self._late.append(attempt)
        else:
            self._submit(attempt)

    def _submit(self, attempt: Attempt) -> None:
        environment, operation = self._environment, attempt.operation
        process = self._find(operation.shard, environment.happens(environment.faults.stray))
        if process is None:
            return
        environment.trace.note(
            "client",
            operation.shard,
            "sends %s %s %s to %s (attempt %s, id %s)",
            attempt.record.command,
            attempt.record.id,
            bytes(attempt.record.payload).decode(),
            process.label,
            attempt.number,
            attempt.record.command_id[-12:],
        )
        process.submit(operation.shard, Request(attempt.record, operation.channel, Sink(self, process), attempt))


def feed_value(random: Random, id: str, command_id: str) -> bytes:
    """A record for an input."""
    return msgspec.json.encode(record_of(id, random_command(random, id), command_id))
