"""Transfers between accounts of one ledger: one transaction over two streams, both or neither."""

from __future__ import annotations

from domain.banking.account import Account, Refused, account, must_be_open, paid_out, spend
from domain.banking.messages import AccountEvent, Transfer, TransferReceived, TransferSent
from shardlog import Transaction, reject, replace


@account.transaction
def transfer(tx: Transaction[Account, AccountEvent], command: Transfer) -> None:
    source, target = tx.own, tx.load(account.stream(command.to))
    if source.id == target.id:
        reject(Refused.SAME_ACCOUNT, f"{command.to} cannot transfer to itself: name another account")
    day = spend(source.state, command.amount, tx.context)
    must_be_open(target.state)
    source.append(TransferSent(to=target.id, amount=command.amount, day=day))
    target.append(TransferReceived(source=source.id, amount=command.amount))


@account.evolves
def transfer_sent(state: Account, event: TransferSent) -> Account:
    return paid_out(state, event)


@account.evolves
def transfer_received(state: Account, event: TransferReceived) -> Account:
    return replace(state, balance=state.balance + event.amount)
