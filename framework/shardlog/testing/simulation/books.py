"""The bank's rules a second time, over plain dictionaries: what a command must lead to, and what there must be.

It decides every recorded command again, on the history before it, so that a frame that follows another history than
it was decided on is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from shardlog.testing.simulation.finding import Finding

EventFields: TypeAlias = tuple[str, str, dict[str, Any]]
"""Name, account and data of an event."""
SendFields: TypeAlias = tuple[str, str, dict[str, Any]]
"""Account, command and payload of a send."""


class Refusal(Exception):
    """The command is to be refused with this code."""


class Books:
    """The accounts of all shards. started, ended: payments."""

    def __init__(self) -> None:
        self.balances: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self.reserved: dict[str, dict[str, int]] = {}
        self.started: set[str] = set()
        self.received: set[str] = set()
        self.paid_in = 0
        self.movements: dict[str, int] = {}
        self._shown: dict[tuple[str, int], tuple[int, dict[str, int]]] = {}

    # -- what must be decided ------------------------------------------------------------------------------------------
    def decide(self, id: str, command: str, given: dict[str, Any]) -> list[EventFields]:
        """The events of a command; the id of a payment that begins is left open. Raises Refusal."""
        if command in ("deposit", "withdraw", "transfer", "pay", "receive") and given["amount"] <= 0:
            raise Refusal("invalid_command")
        if command == "open":
            if id in self.balances:
                raise Refusal("already_open")
            return [("opened", id, {})]
        if command == "stumble":
            raise Refusal("internal_error")
        if command in ("settle", "give_back"):
            if given["payment"] not in self.reserved.get(id, {}):
                raise Refusal("unknown_payment")
            if command == "settle":
                return [("payment_settled", id, given)]
            return [("payment_given_back", id, given | {"amount": self.reserved[id][given["payment"]]})]
        return self._move(id, command, given)

    def _move(self, id: str, command: str, given: dict[str, Any]) -> list[EventFields]:
        amount = given["amount"]
        if command == "deposit":
            self._must_hold(id, 0)
            return [("deposited", id, {"amount": amount})]
        if command == "withdraw":
            self._must_hold(id, amount)
            return [("withdrawn", id, {"amount": amount})]
        if command == "receive":
            self._must_hold(id, 0)
            return [("payment_received", id, given)]
        if command == "pay":
            self._must_hold(id, amount)
            return [("payment_started", id, {"payment": None, "to": given["to"], "amount": amount})]
        if command != "transfer":
            raise Refusal("unknown_command")
        if id.partition(":")[0] != given["to"].partition(":")[0]:
            raise Refusal("other_routing_key")
        self._must_hold(given["to"], 0)
        self._must_hold(id, 0 if given["to"] == id else amount)
        return [("deposited", given["to"], {"amount": amount}), ("withdrawn", id, {"amount": amount})]

    def _must_hold(self, id: str, amount: int) -> None:
        if id not in self.balances:
            raise Refusal("not_open")
        if self.balances[id] < amount:
            raise Refusal("insufficient_funds")

    # -- what happens --------------------------------------------------------------------------------------------------
    def happen(self, name: str, id: str, version: int, data: dict[str, Any]) -> list[SendFields]:
        """An event is history; returns what the process manager must send. Raises Finding for one that cannot be."""
        if version != self.versions.get(id, 0) + 1:
            raise Finding(f"{id} stands at version {self.versions.get(id, 0)}, and the next event is number {version}")
        self.versions[id] = version
        amount = data.get("amount", 0)
        if name == "opened":
            self.balances[id] = 0
        elif name == "deposited":
            self._add(id, amount)
            self.paid_in += amount
        elif name == "withdrawn":
            self._add(id, -amount)
            self.paid_in -= amount
        elif name == "payment_started":
            return self._started(id, data)
        elif name == "payment_received":
            if data["payment"] in self.received:
                raise Finding(f"payment {data['payment']} is received twice")
            self.received.add(data["payment"])
            self._add(id, amount)
            return [(data["source"], "settle", {"payment": data["payment"]})]
        elif name == "payment_settled":
            del self.reserved[id][data["payment"]]
        else:
            del self.reserved[id][data["payment"]]
            self._add(id, amount)
        return []

    def refused(self, command: str, given: dict[str, Any], code: str) -> list[SendFields]:
        """A send was refused by the domain; returns what the process manager must send."""
        if command != "receive":
            return []
        return [(given["source"], "give_back", {"payment": given["payment"], "code": code})]

    def _started(self, id: str, data: dict[str, Any]) -> list[SendFields]:
        payment, amount = data["payment"], data["amount"]
        if payment in self.started:
            raise Finding(f"two payments have the id {payment}")
        self.started.add(payment)
        self._add(id, -amount)
        self.reserved.setdefault(id, {})[payment] = amount
        return [(data["to"], "receive", {"payment": payment, "source": id, "amount": amount})]

    def _add(self, id: str, amount: int) -> None:
        self.balances[id] += amount
        self.movements[id] = self.movements.get(id, 0) + 1

    def show(self, ids: Iterable[str]) -> None:
        """An entry has ended: these accounts may be read as they are now."""
        for id in ids:
            self._shown[id, self.versions[id]] = (self.balances[id], dict(self.reserved.get(id, {})))

    def check_reading(self, id: str, version: int, balance: int, reserved: dict[str, int]) -> None:
        """An account was read so: it must have stood so at the end of an entry. Raises Finding."""
        wanted = self._shown.get((id, version), (0, {}) if version == 0 else None)
        if wanted != (balance, reserved):
            raise Finding(f"{id} was read as {balance}, {reserved} at version {version}, and stood there at {wanted}")

    # -- what there must be --------------------------------------------------------------------------------------------
    def check_money(self, is_at_rest: bool) -> None:
        """Money is neither made nor lost. is_at_rest: no payment may be under way any more. Raises Finding."""
        under_way = {p: amount for held in self.reserved.values() for p, amount in held.items()}
        held = sum(self.balances.values()) + sum(a for p, a in under_way.items() if p not in self.received)
        if held != self.paid_in:
            raise Finding(f"{self.paid_in} was paid in, and there is {held}: money was made or lost")
        if any(balance < 0 for balance in self.balances.values()):
            raise Finding(f"an account is overdrawn: {self.balances}")
        if is_at_rest and under_way:
            raise Finding(f"payments are under way for ever: {sorted(under_way)}")
