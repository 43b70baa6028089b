"""Payments between ledgers: set aside, received and settled, or given back; never made or lost on the way."""

from __future__ import annotations

from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from domain.banking import banking
from domain.banking.account import Account, Status
from domain.banking.messages import (
    AccountCommand,
    AccountEvent,
    Close,
    Deposit,
    Open,
    Pay,
    PaymentReceived,
    PaymentReturned,
    PaymentSettled,
    PaymentStarted,
    ReceivePayment,
    ReturnPayment,
    SettlePayment,
    Transfer,
)
from projections.banking import balances
from projections.banking.balances import AccountBalance, LedgerBalance
from shardlog import Row, Stream
from shardlog.testing.kit import Scenario, given, on

from .accounts import ADA, BOB, EVE, TODAY, holding, opened

STARTED = PaymentStarted(payment="p1", to="far:eve", amount=4, day=TODAY)
SPENT = Account(status=Status.OPEN, balance=5, daily_limit=1_000, spent_on=TODAY, spent=4)


def test_a_payment_sets_its_amount_aside() -> None:
    given(ADA, *holding(9)).when(Pay(to="far:eve", amount=4)).then_like(STARTED, but=["payment"])
    given(ADA, *holding(9), STARTED).then_state(
        Account(
            status=Status.OPEN, balance=5, reserved={"p1": 4}, daily_limit=1_000, spent_on=TODAY, spent=4
        )
    )  # fmt: skip


def test_a_payment_follows_the_rules_of_money_that_leaves() -> None:
    given(ADA).when(Pay(to="far:eve", amount=4)).then_rejected("account_not_open")
    given(ADA, *holding(3)).when(Pay(to="far:eve", amount=4)).then_rejected("insufficient_funds")
    given(ADA, *holding(5_000)).when(Pay(to="far:eve", amount=1_001)).then_rejected("daily_limit_exceeded")
    given(ADA, *holding(9)).when(Pay(to="acme:ada", amount=4)).then_rejected("same_account")


def test_a_settled_payment_is_no_longer_under_way() -> None:
    given(ADA, *holding(9), STARTED).when(SettlePayment(payment="p1")).then(
        PaymentSettled(payment="p1", amount=4)
    ).then_state(SPENT).when(SettlePayment(payment="p1")).then_rejected("unknown_payment")


def test_a_returned_payment_is_in_the_account_again() -> None:
    given(ADA, *holding(9), STARTED).when(ReturnPayment(payment="p1", reason="account_not_open")).then(
        PaymentReturned(payment="p1", amount=4, reason="account_not_open")
    ).when(ReturnPayment(payment="p1", reason="again")).then_rejected("unknown_payment", "no payment p1")


def test_only_an_open_account_receives() -> None:
    receive = ReceivePayment(payment="p1", source="acme:ada", amount=4)
    given(EVE).when(receive).then_rejected("account_not_open")
    given(EVE, opened()).when(receive).then(PaymentReceived(payment="p1", source="acme:ada", amount=4))


def test_a_payment_reaches_an_account_of_another_ledger() -> None:
    (
        Scenario(banking)
        .given(on(ADA, *holding(9)), on(EVE, opened()))
        .when(ADA, Pay(to="far:eve", amount=4))
        .then_state(ADA, SPENT)
        .then_state(EVE, Account(status=Status.OPEN, balance=4, daily_limit=1_000))
    )


def test_a_payment_that_nobody_takes_comes_back() -> None:
    given_back = Account(status=Status.OPEN, balance=9, daily_limit=1_000, spent_on=TODAY, spent=4)
    Scenario(banking).given(on(ADA, *holding(9))).when(ADA, Pay(to="far:eve", amount=4)).then_state(ADA, given_back)


def test_a_payment_may_stay_in_its_ledger() -> None:
    (
        Scenario(banking)
        .given(on(ADA, *holding(9)), on(BOB, opened()))
        .when(ADA, Pay(to="acme:bob", amount=4))
        .then_state(ADA, SPENT)
        .then_state(BOB, Account(status=Status.OPEN, balance=4, daily_limit=1_000))
    )


STREAMS = [ADA, BOB, EVE]
AMOUNTS = st.integers(1, 400)
PAYEES = st.sampled_from(["acme:ada", "acme:bob", "far:eve", "far:nobody"])
COMMANDS: st.SearchStrategy[AccountCommand] = st.one_of(
    st.builds(Pay, to=PAYEES, amount=AMOUNTS),
    st.builds(Transfer, to=st.sampled_from(["acme:ada", "acme:bob"]), amount=AMOUNTS),
    st.just(Close()),
)


@settings(max_examples=60, deadline=None, database=None)
@hypothesis_given(st.lists(st.tuples(st.sampled_from(STREAMS), COMMANDS), max_size=12))
def test_whatever_comes_money_is_neither_made_nor_lost(
    sent: list[tuple[Stream[Account, AccountCommand, AccountEvent], AccountCommand]],
) -> None:
    scenario = Scenario(banking, projections=[balances])
    for stream in STREAMS:
        scenario.when(stream, Open(owner="x")).when(stream, Deposit(amount=500))
    for stream, command in sent:
        scenario.when(stream, command)
        states = [scenario.state(each) for each in STREAMS]
        assert sum(state.balance + sum(state.reserved.values()) for state in states) == 1_500
        assert not any(state.reserved for state in states), "every payment is settled or given back"
    scenario.then_rows(balances, *rows_of({stream.id: scenario.state(stream) for stream in STREAMS}))


def rows_of(states: dict[str, Account]) -> list[Row]:
    """The rows that these states should have given."""
    accounts = [
        AccountBalance(
            account=name,
            ledger=name.split(":")[0],
            owner="x",
            balance=state.balance,
            closed=state.status is Status.CLOSED,
        )
        for name, state in states.items()
    ]
    ledgers = [
        LedgerBalance(
            ledger=ledger,
            accounts=sum(row.ledger == ledger and not row.closed for row in accounts),
            balance=sum(row.balance for row in accounts if row.ledger == ledger),
        )
        for ledger in sorted({row.ledger for row in accounts})
    ]
    return [*accounts, *ledgers]
