"""Clients of the bank over HTTP that live through kills: single commands, batches and reads; each remembers what it
sent and what it was told, and sends again, under the same id, what was not answered."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from random import Random
from time import monotonic
from typing import Any, NamedTuple

from tests.services.bank_process import LEDGERS, SHARDS

WAIT_SECONDS = 60.0
BATCH_LINES_MAX = 40
ACCOUNTS = 3
SENT_AGAIN_SECONDS = 30.0
"""How long after its first sending a command may be sent again: well inside of the time for which its id is known."""
RETRIED = frozenset({"unavailable", "outcome_unknown"})


class Reply(NamedTuple):
    """One answer to a command."""

    status: int
    code: str
    version: int | None
    token: str | None
    events: list[dict[str, Any]]


class Operation:
    """One command of one client, however often it is sent. is_given_up: its client does not send it again."""

    def __init__(self, client: str, id: str, command: str, payload: dict[str, Any], command_id: str) -> None:
        self.client = client
        self.id = id
        self.command = command
        self.payload = payload
        self.command_id = command_id
        self.replies: list[Reply] = []
        self.sent_s: list[float] = []
        self.is_given_up = False

    @property
    def sendings(self) -> int:
        """How often it was sent."""
        return len(self.sent_s)

    @property
    def may_be_sent_again(self) -> bool:
        """Whether its id is still known for sure."""
        return not self.sent_s or monotonic() - self.sent_s[0] < SENT_AGAIN_SECONDS

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to be gained by sending it again."""
        return self.is_given_up or any(reply.code not in RETRIED for reply in self.replies)

    def told(self, status: int, answer: dict[str, Any]) -> None:
        """Take an answer."""
        code = "accepted" if status == 200 else answer["code"]
        self.replies.append(Reply(status, code, answer.get("version"), answer.get("token"), answer.get("events", [])))


class Address:
    """Where the server is at present; clients wait here while it is nowhere."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._port: int | None = None
        self._run = 0
        self.is_ending = False

    def moved(self, port: int | None) -> None:
        """The server is at this port from now on, or nowhere."""
        with self._changed:
            self._port = port
            self._run += port is not None
            self._changed.notify_all()

    def after(self, run: int) -> tuple[int, int]:
        """Port and run of a server later than `run`, once there is one."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._port is not None and self._run > run, WAIT_SECONDS)
            assert self._port is not None
            return self._port, self._run


class Client(threading.Thread):
    """One connection after another, until the load ends and all that it sent is settled."""

    def __init__(self, name: str, address: Address, answered: threading.Semaphore, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.operations: list[Operation] = []
        self.error: Exception | None = None
        self._address = address
        self._answered = answered
        self._random = Random(seed)
        self._open: deque[Operation] = deque()
        self._versions: dict[str, int] = {}

    def run(self) -> None:
        """Live."""
        run = 0
        try:
            while not self._address.is_ending or self._open:
                port, run = self._address.after(run)
                self._forget()
                connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
                try:
                    while not self._address.is_ending or self._open:
                        self._once(connection)
                except (OSError, HTTPException, _CutOff):
                    self._leave()
                finally:
                    connection.close()
        except Exception as error:  # noqa: BLE001  # raised where the load is ended
            self.error = error

    def _once(self, connection: HTTPConnection) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        """The connection broke: some of what it carried is never sent again."""
        for operation in self._open:
            operation.is_given_up = operation.sendings > 0 and self._random.random() < 0.1
        self._forget()

    def _forget(self) -> None:
        """Leave what is settled, and give up what is too old."""
        for operation in self._open:
            operation.is_given_up = operation.is_given_up or not operation.may_be_sent_again
        self._open = deque(operation for operation in self._open if not operation.is_settled)

    def _fresh(self) -> Operation:
        random = self._random
        ledger = LEDGERS[random.randrange(SHARDS)]
        id, amount = f"{ledger}:{random.randrange(ACCOUNTS)}", random.randrange(1, 50)
        command, payload = random.choice(
            [
                ("deposit", {"amount": amount}),
                ("deposit", {"amount": amount}),
                ("withdraw", {"amount": amount}),
                ("open", {"owner": "ann"}),
                ("transfer", {"to": f"{ledger}:{random.randrange(ACCOUNTS)}", "amount": amount}),
                ("pay", {"to": f"{LEDGERS[random.randrange(SHARDS)]}:{random.randrange(ACCOUNTS)}", "amount": amount}),
            ]
        )
        operation = Operation(self.name, id, command, payload, f"{self.name}-{len(self.operations)}")
        self.operations.append(operation)
        return operation

    def _was_told(self, operation: Operation, status: int, answer: dict[str, Any]) -> None:
        operation.told(status, answer)
        if status == 200 and answer["version"] is not None:
            self._versions[operation.id] = max(self._versions.get(operation.id, 0), answer["version"])
        self._answered.release()


class SingleClient(Client):
    """Sends a command, waits for the answer; sometimes sends one again that was answered, or reads a stream."""

    def _once(self, connection: HTTPConnection) -> None:
        if not self._open:
            if self.operations and self._random.random() < 0.05 and self.operations[-1].may_be_sent_again:
                again = [operation for operation in self.operations[-20:] if operation.may_be_sent_again]
                self._open.append(self._random.choice(again))
            elif self._versions and self._random.random() < 0.05:
                self._read(connection)
                return
            else:
                self._open.append(self._fresh())
        operation = self._open[0]
        operation.sent_s.append(monotonic())
        headers = {"content-type": "application/json", "idempotency-key": operation.command_id}
        path = f"/v1/streams/account/{operation.id}/{operation.command}"
        connection.request("POST", path, json.dumps(operation.payload), headers)
        response = connection.getresponse()
        self._was_told(operation, response.status, json.loads(response.read()))
        self._forget()

    def _read(self, connection: HTTPConnection) -> None:
        """What this client was told before must be there."""
        id = self._random.choice(list(self._versions))
        connection.request("GET", f"/v1/streams/account/{id}")
        response = connection.getresponse()
        found = json.loads(response.read())
        if response.status == 200:
            assert found["version"] >= self._versions[id], (id, found, self._versions[id])


class BatchClient(Client):
    """Sends lines, reads their answers; those that were not answered go into the next batch."""

    def _once(self, connection: HTTPConnection) -> None:
        if not self._address.is_ending:
            wanted = self._random.randrange(1, BATCH_LINES_MAX)
            self._open.extend(self._fresh() for _ in range(wanted - len(self._open)))
        operations = list(self._open)
        for operation in operations:
            operation.sent_s.append(monotonic())
        body = b"".join(_line(operation) for operation in operations)
        connection.request("POST", "/v1/commands", body, {"content-type": "application/x-ndjson"})
        response = connection.getresponse()
        try:
            for number, operation in enumerate(operations, 1):
                text = response.readline()
                if not text.endswith(b"\n"):
                    raise _CutOff
                answer = json.loads(text)
                if answer.get("command_id") != operation.command_id:
                    raise _CutOff  # the process drains, and says so in place of the answer
                assert answer["line"] == number
                self._was_told(operation, answer["status"], answer)
            response.read()
        finally:
            self._open = deque(operations)
            self._forget()


class _CutOff(Exception):
    """The answers ended before the lines did."""


class Load:
    """All clients."""

    def __init__(self, seed: int, singles: int = 4, batches: int = 2) -> None:
        self.address = Address()
        self._answered = threading.Semaphore(0)
        made = [SingleClient(f"s{n}", self.address, self._answered, seed * 100 + n) for n in range(singles)]
        batched = [BatchClient(f"b{n}", self.address, self._answered, seed * 100 + 50 + n) for n in range(batches)]
        self.clients: Sequence[Client] = [*made, *batched]

    def start(self) -> None:
        """Begin."""
        for client in self.clients:
            client.start()

    def wait_for(self, answers: int) -> None:
        """Wait until so many more answers have come."""
        for _ in range(answers):
            assert self._answered.acquire(timeout=WAIT_SECONDS), [client.error for client in self.clients]

    def end(self) -> list[Operation]:
        """Let the clients settle what they sent; returns all operations. Raises what a client found wrong."""
        self.address.is_ending = True
        for client in self.clients:
            client.join(WAIT_SECONDS)
            if client.error is not None:
                raise client.error
            assert not client.is_alive(), f"{client.name} does not come to its end"
        return [operation for client in self.clients for operation in client.operations]


def _line(operation: Operation) -> bytes:
    line = {
        "category": "account",
        "id": operation.id,
        "command": operation.command,
        "payload": operation.payload,
        "command_id": operation.command_id,
    }
    return json.dumps(line).encode() + b"\n"
