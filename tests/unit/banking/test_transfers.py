"""Transfers within a ledger: both accounts or neither."""

from __future__ import annotations

import pytest

from domain.banking.account import Account, Status
from domain.banking.messages import Closed, Transfer, TransferReceived, TransferSent
from shardlog.testing.kit import given, on

from .accounts import ADA, BOB, TODAY, holding, opened


def test_a_transfer_takes_here_and_gives_there() -> None:
    (
        given(ADA, *holding(9))
        .and_given(on(BOB, opened("Bob")))
        .when(Transfer(to="acme:bob", amount=4))
        .then_exactly(
            on(ADA, TransferSent(to="acme:bob", amount=4, day=TODAY)),
            on(BOB, TransferReceived(source="acme:ada", amount=4)),
        )
        .then_state(Account(status=Status.OPEN, balance=5, daily_limit=1_000, spent_on=TODAY, spent=4))
    )


def test_a_transfer_without_funds_gives_nothing() -> None:
    given(ADA, *holding(3)).and_given(on(BOB, opened())).when(Transfer(to="acme:bob", amount=4)).then_rejected(
        "insufficient_funds"
    )


def test_a_transfer_to_an_account_that_is_not_open_takes_nothing() -> None:
    transfer = Transfer(to="acme:bob", amount=4)
    unchanged = Account(status=Status.OPEN, balance=9, daily_limit=1_000)
    given(ADA, *holding(9)).when(transfer).then_rejected("account_not_open").then_state(unchanged)
    given(ADA, *holding(9)).and_given(on(BOB, opened(), Closed())).when(transfer).then_rejected(
        "account_not_open", "is closed"
    ).then_state(unchanged)


def test_a_transfer_from_an_account_that_is_not_open_gives_nothing() -> None:
    given(ADA).and_given(on(BOB, opened())).when(Transfer(to="acme:bob", amount=4)).then_rejected("account_not_open")


def test_a_transfer_counts_for_the_daily_limit() -> None:
    (
        given(ADA, *holding(5_000))
        .and_given(on(BOB, opened()))
        .when(Transfer(to="acme:bob", amount=1_001))
        .then_rejected("daily_limit_exceeded")
    )


def test_a_transfer_to_oneself_is_refused() -> None:
    given(ADA, *holding(9)).when(Transfer(to="acme:ada", amount=4)).then_rejected("same_account")


def test_a_transfer_to_another_ledger_is_refused_by_the_engine() -> None:
    given(ADA, *holding(9)).when(Transfer(to="far:eve", amount=4)).then_rejected("other_routing_key")


@pytest.mark.parametrize("to", ["acme/bob", "", "acme:", ".."])
def test_a_transfer_to_what_is_no_id_is_no_command(to: str) -> None:
    given(ADA, *holding(9)).when(Transfer(to=to, amount=4)).then_rejected("invalid_command")
