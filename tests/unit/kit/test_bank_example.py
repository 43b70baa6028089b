"""The kit on banking: decisions, transactions, process managers and projections."""

from datetime import timedelta

import pytest

from shardlog.testing.kit import START, Scenario, explore, given, on, project
from tests.unit.kit.examples.bank import (
    Account,
    Balance,
    Deposit,
    Deposited,
    Opened,
    Pay,
    PaymentCancelled,
    PaymentStarted,
    Refusal,
    Transfer,
    Withdraw,
    Withdrawn,
    account,
    balances,
    bank,
    deposit,
    refusals,
)

A, B, FAR = account.stream("acme:a"), account.stream("acme:b"), account.stream("far:c")


def test_a_closed_account_takes_no_deposit() -> None:
    given(account).when(Deposit(amount=5)).then_rejected("account_not_open")


def test_money_goes_in_and_out() -> None:
    (
        given(account, Opened(owner="ada"), Deposited(amount=5))
        .when(Withdraw(amount=3))
        .then(Withdrawn(amount=3))
        .then_state(Account(open=True, balance=2))
        .when(Withdraw(amount=3))
        .then_rejected("insufficient_funds", "balance is 2")
    )


def test_an_amount_below_one_is_no_command() -> None:
    given(account, Opened(owner="ada")).when(Deposit(amount=0)).then_rejected("invalid_command")


def test_a_decision_is_a_plain_function() -> None:
    assert deposit(Account(open=True), Deposit(amount=5)) == Deposited(amount=5)


def test_a_transfer_is_all_or_nothing() -> None:
    rich = given(A, Opened(owner="ada"), Deposited(amount=9))
    rich.when(Transfer(to="acme:b", amount=4)).then_rejected("account_not_open").then_state(
        Account(open=True, balance=9)
    )
    (
        given(A, Opened(owner="ada"), Deposited(amount=9))
        .and_given(on(B, Opened(owner="bob")))
        .when(Transfer(to="acme:b", amount=4))
        .then_exactly(on(A, Withdrawn(amount=4)), on(B, Deposited(amount=4)))
    )


def test_a_transfer_to_another_routing_key_is_refused() -> None:
    (
        given(A, Opened(owner="ada"), Deposited(amount=9))
        .when(Transfer(to="far:c", amount=4))
        .then_rejected(
            "other_routing_key", "a transaction at account/acme:a (routing key 'acme') cannot load account/far:c"
        )
    )


def test_a_transfer_to_oneself_changes_nothing_in_sum() -> None:
    (
        given(A, Opened(owner="ada"), Deposited(amount=9))
        .when(Transfer(to="acme:a", amount=4))
        .then(Withdrawn(amount=4), Deposited(amount=4))
        .then_state(Account(open=True, balance=9))
    )


def test_a_command_that_expects_another_version_is_refused() -> None:
    two_events = given(account, Opened(owner="ada"), Deposited(amount=9))
    two_events.when(Withdraw(amount=1), expected_version=1).then_rejected("wrong_version", "is at version 2")
    two_events.when(Withdraw(amount=1), expected_version=2).then(Withdrawn(amount=1))


def test_a_payment_reaches_another_routing_key() -> None:
    (
        Scenario(bank, projections=[balances])
        .given(on(A, Opened(owner="ada"), Deposited(amount=9)), on(FAR, Opened(owner="eve")))
        .when(A, Pay(to="far:c", amount=4))
        .then_state(A, Account(open=True, balance=5))
        .then_state(FAR, Account(open=True, balance=4))
        .then_rows(
            balances,
            Balance(account="acme:a", owner="ada", balance=5),
            Balance(account="far:c", owner="eve", balance=4),
        )
    )


def test_a_payment_that_nobody_takes_comes_back_and_is_counted() -> None:
    (
        Scenario(bank, projections=[refusals])
        .given(on(A, Opened(owner="ada"), Deposited(amount=9)))
        .when(A, Pay(to="far:c", amount=4))
        .then_state(A, Account(open=True, balance=9))
        .then_rows(refusals, Refusal(category="account", code="account_not_open", count=1))
    )


def test_refusals_of_the_engine_are_not_counted_as_business() -> None:
    (
        Scenario(bank, projections=[refusals])
        .given(on(A, Opened(owner="ada")))
        .when(A, Deposit(amount=5), expected_version=7)
        .then_rejected("wrong_version")
        .when(A, Transfer(to="far:c", amount=4))
        .then_rejected("other_routing_key")
        .then_rows(refusals)
    )


def test_balances_follow() -> None:
    project(balances, on(A, Opened(owner="ada"), Deposited(amount=5), Withdrawn(amount=2))).then_rows(
        Balance(account="acme:a", owner="ada", balance=3)
    )


def test_drawn_ids_differ_between_commands_and_are_masked_in_expectations() -> None:
    rich = given(account, Opened(owner="ada"), Deposited(amount=9))
    rich.when(Pay(to="far:c", amount=1), after=timedelta(hours=1)).then_like(
        PaymentStarted(payment="?", to="far:c", amount=1), but=["payment"]
    ).when(Pay(to="far:c", amount=2)).then_like(PaymentStarted(payment="?", to="far:c", amount=2), but=["payment"])


def test_no_account_is_overdrawn_whatever_comes() -> None:
    explore(account, invariant=lambda state: state.balance >= 0, runs=50)


def test_explore_shows_the_shortest_way_to_a_broken_invariant() -> None:
    with pytest.raises(AssertionError, match="the invariant does not hold for Account"):
        explore(account, invariant=lambda state: not state.open, runs=50)


def test_what_was_expected_and_what_came_are_both_shown() -> None:
    with pytest.raises(AssertionError, match="but the command was rejected: account_not_open"):
        given(account).when(Deposit(amount=5)).then(Deposited(amount=5))
    with pytest.raises(
        AssertionError, match="expected rejection 'account_not_open', but the command was accepted with"
    ):
        given(account, Opened(owner="ada")).when(Deposit(amount=5)).then_rejected("account_not_open")
    with pytest.raises(AssertionError, match="did you mean 'account_not_opened'"):
        given(account).when(Deposit(amount=5)).then_rejected("account_not_opened")


def test_an_event_that_cannot_follow_is_seen_when_it_is_given() -> None:
    with pytest.raises(Exception, match="payment_cancelled raised KeyError"):
        given(account, Opened(owner="ada"), PaymentCancelled(payment="1", reason="x"))


def test_every_test_begins_at_the_same_time() -> None:
    assert START.isoformat() == "2026-01-01T00:00:00+00:00"
