"""One account: its life, its money, its limits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.banking import account
from domain.banking.account import Account, Status
from domain.banking.messages import (
    AMOUNT_MAX_CENTS,
    AccountCommand,
    ChangeDailyLimit,
    Close,
    Closed,
    DailyLimitChanged,
    Deposit,
    Deposited,
    Open,
    Opened,
    PaymentStarted,
    Withdraw,
    Withdrawn,
)
from shardlog.testing.kit import START, explore, given

from .accounts import TODAY, holding, opened

DAY = timedelta(days=1)
EMPTIED = Withdrawn(amount=5, day=TODAY)


def is_sound(state: Account) -> bool:
    """Never overdrawn, nothing of nothing set aside, and nothing left in a closed account."""
    empty = not state.balance and not state.reserved
    return state.balance >= 0 and all(state.reserved.values()) and (state.status is Status.OPEN or empty)


def test_an_account_is_opened_with_a_limit() -> None:
    given(account).when(Open(owner="Ada")).then(Opened(owner="Ada", daily_limit=500_000)).then_state(
        Account(status=Status.OPEN, daily_limit=500_000)
    )


def test_an_account_is_opened_once_and_never_again_after_it_was_closed() -> None:
    given(account, opened()).when(Open(owner="Bob")).then_rejected("already_opened", "the account is open")
    given(account, opened(), Closed()).when(Open(owner="Bob")).then_rejected("already_opened", "is closed")


def test_money_goes_in_and_out() -> None:
    (
        given(account, opened())
        .when(Deposit(amount=7))
        .then(Deposited(amount=7))
        .when(Withdraw(amount=5))
        .then(EMPTIED)
        .then_state(Account(status=Status.OPEN, balance=2, daily_limit=1_000, spent_on=TODAY, spent=5))
    )


def test_no_more_goes_out_than_is_in() -> None:
    given(account, *holding(5)).when(Withdraw(amount=6)).then_rejected("insufficient_funds", "the balance is 5 cents")


@pytest.mark.parametrize(
    "command",
    [Deposit(amount=1), Withdraw(amount=1), Close(), ChangeDailyLimit(daily_limit=5)],
    ids=lambda command: type(command).__name__,
)
def test_only_an_open_account_takes_part(command: AccountCommand) -> None:
    given(account).when(command).then_rejected("account_not_open", "the account is new")
    given(account, opened(), Closed()).when(command).then_rejected("account_not_open", "the account is closed")


@pytest.mark.parametrize("amount", [0, -1, AMOUNT_MAX_CENTS + 1])
def test_an_amount_out_of_range_is_no_command(amount: int) -> None:
    given(account, opened()).when(Deposit(amount=amount)).then_rejected("invalid_command")
    given(account, opened()).when(Withdraw(amount=amount)).then_rejected("invalid_command")
    given(account, opened()).when(ChangeDailyLimit(daily_limit=amount)).then_rejected("invalid_command")


def test_an_account_without_an_owner_is_no_command() -> None:
    given(account).when(Open(owner="")).then_rejected("invalid_command")


def test_a_day_has_a_limit_and_the_next_one_another() -> None:
    (
        given(account, *holding(5_000))
        .when(Withdraw(amount=600))
        .then(Withdrawn(amount=600, day=TODAY))
        .when(Withdraw(amount=401))
        .then_rejected("daily_limit_exceeded", "600 have left on 2026-01-01")
        .when(Withdraw(amount=400))
        .then(Withdrawn(amount=400, day=TODAY))
        .when(Withdraw(amount=1_000), after=DAY)
        .then(Withdrawn(amount=1_000, day=TODAY + DAY))
    )


def test_the_limit_does_not_go_by_the_callers_calendar() -> None:
    (
        given(account, *holding(5_000))
        .when(Withdraw(amount=1_000))
        .then(Withdrawn(amount=1_000, day=TODAY))
        .when(Withdraw(amount=1), occurred_at=START - DAY)
        .then_rejected("daily_limit_exceeded")
    )


def test_a_changed_limit_counts_at_once() -> None:
    (
        given(account, *holding(5_000))
        .when(ChangeDailyLimit(daily_limit=2_000))
        .then(DailyLimitChanged(daily_limit=2_000))
        .when(Withdraw(amount=2_000))
        .then(Withdrawn(amount=2_000, day=TODAY))
        .when(ChangeDailyLimit(daily_limit=100))
        .then(DailyLimitChanged(daily_limit=100))
        .when(Withdraw(amount=1))
        .then_rejected("daily_limit_exceeded", "the limit is 100 cents a day")
    )


def test_the_same_limit_again_is_nothing_new() -> None:
    given(account, opened()).when(ChangeDailyLimit(daily_limit=1_000)).then_nothing()


def test_an_account_is_closed_when_nothing_is_in_it_or_under_way() -> None:
    paying = PaymentStarted(payment="p", to="far:eve", amount=5, day=TODAY)
    given(account, *holding(5)).when(Close()).then_rejected("account_not_empty", "it holds 5 cents")
    given(account, *holding(5), paying).when(Close()).then_rejected("account_not_empty", "1 payment(s) under way")
    given(account, *holding(5), EMPTIED).when(Close()).then(Closed()).then_state(
        Account(status=Status.CLOSED, daily_limit=1_000, spent_on=TODAY, spent=5)
    )


def test_whatever_comes_no_account_is_overdrawn() -> None:
    explore(account, invariant=is_sound)
