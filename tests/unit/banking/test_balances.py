"""What the tables of balances say."""

from __future__ import annotations

from domain.banking.messages import (
    Closed,
    Deposited,
    PaymentReceived,
    PaymentReturned,
    PaymentSettled,
    PaymentStarted,
    TransferReceived,
    TransferSent,
    Withdrawn,
)
from projections.banking import balances
from projections.banking.balances import AccountBalance, LedgerBalance
from shardlog.testing.kit import on, project

from .accounts import ADA, BOB, EVE, TODAY, holding, opened

STARTED = PaymentStarted(payment="p1", to="far:eve", amount=4, day=TODAY)


def test_money_that_comes_and_goes_shows_on_the_account_and_on_its_ledger() -> None:
    project(balances, on(ADA, *holding(9), Withdrawn(amount=2, day=TODAY)), on(EVE, opened("Eve"))).then_rows(
        AccountBalance(account="acme:ada", ledger="acme", owner="Ada", balance=7),
        AccountBalance(account="far:eve", ledger="far", owner="Eve"),
        LedgerBalance(ledger="acme", accounts=1, balance=7),
        LedgerBalance(ledger="far", accounts=1),
    )


def test_a_transfer_leaves_its_ledger_as_it_was() -> None:
    project(
        balances,
        on(ADA, *holding(9), TransferSent(to="acme:bob", amount=4, day=TODAY)),
        on(BOB, opened("Bob"), TransferReceived(source="acme:ada", amount=4)),
    ).then_rows(
        AccountBalance(account="acme:ada", ledger="acme", owner="Ada", balance=5),
        AccountBalance(account="acme:bob", ledger="acme", owner="Bob", balance=4),
        LedgerBalance(ledger="acme", accounts=2, balance=9),
    )


def test_a_payment_is_in_transit_until_it_is_settled_or_given_back() -> None:
    under_way = on(ADA, *holding(9), STARTED)
    project(balances, under_way).then_rows(
        AccountBalance(account="acme:ada", ledger="acme", owner="Ada", balance=5, in_transit=4),
        LedgerBalance(ledger="acme", accounts=1, balance=5, in_transit=4),
    )
    project(balances, under_way, on(ADA, PaymentSettled(payment="p1", amount=4))).then_rows(
        AccountBalance(account="acme:ada", ledger="acme", owner="Ada", balance=5),
        LedgerBalance(ledger="acme", accounts=1, balance=5),
    )
    returned = PaymentReturned(payment="p1", amount=4, reason="account_not_open")
    project(balances, under_way, on(ADA, returned)).then_rows(
        AccountBalance(account="acme:ada", ledger="acme", owner="Ada", balance=9),
        LedgerBalance(ledger="acme", accounts=1, balance=9),
    )


def test_a_received_payment_is_the_receivers() -> None:
    received = PaymentReceived(payment="p1", source="acme:ada", amount=4)
    project(balances, on(EVE, opened("Eve"), Deposited(amount=1), received)).then_rows(
        AccountBalance(account="far:eve", ledger="far", owner="Eve", balance=5),
        LedgerBalance(ledger="far", accounts=1, balance=5),
    )


def test_a_closed_account_stays_in_the_table_and_leaves_its_ledger() -> None:
    project(balances, on(ADA, opened(), Closed())).then_rows(
        AccountBalance(account="acme:ada", ledger="acme", owner="Ada", closed=True),
        LedgerBalance(ledger="acme"),
    )
