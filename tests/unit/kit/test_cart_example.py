"""The kit on a shopping cart with a past: old versions, and a person's data."""

import pytest

from shardlog import DomainError, Personal
from shardlog.testing.kit import Scenario, explore, given, given_erased, given_old, on, project
from tests.unit.kit.examples.cart import (
    AddItem,
    Cart,
    CartCheckedOut,
    CheckedOutV1,
    CheckOut,
    ContactGiven,
    CouponShown,
    ItemAdded,
    ItemAddedV1,
    Order,
    cart,
    orders,
    shop,
)

ADA = Personal("ada@example.org")


def test_items_add_up() -> None:
    (
        given(cart, ItemAdded(sku="pen", quantity=2))
        .when(AddItem(sku="pen"))
        .then(ItemAdded(sku="pen", quantity=1))
        .then_state(Cart(items={"pen": 3}))
    )


def test_an_empty_cart_is_not_checked_out() -> None:
    given(cart).when(CheckOut(email=ADA)).then_rejected("empty_cart")


def test_an_old_journal_reads_as_a_new_one() -> None:
    given_old(cart, ItemAddedV1(sku="pen"), CouponShown(), CheckedOutV1(email=ADA, items=1)).then_state(
        Cart(items={"pen": 1}, email=ADA, checked_out=True)
    )


def test_an_erased_address_does_not_stop_a_cart() -> None:
    (
        given_erased(cart, ItemAdded(sku="pen", quantity=1), ContactGiven(email=ADA))
        .when(AddItem(sku="ink"))
        .then(ItemAdded(sku="ink", quantity=1))
        .then_state(Cart(items={"pen": 1, "ink": 1}, email=Personal(None)))
    )


def test_an_address_does_not_show_in_logs() -> None:
    assert "example.org" not in repr(ContactGiven(email=ADA))


def test_orders_are_shown_with_the_address() -> None:
    stream = cart.stream("c1")
    project(
        orders, on(stream, ItemAdded(sku="pen", quantity=1), ContactGiven(email=ADA), CartCheckedOut(items=1))
    ).then_rows(Order(cart="c1", email="ada@example.org", items=1))


def test_a_projection_hears_what_old_events_were_split_into() -> None:
    scenario = Scenario(shop, projections=[orders])
    stream = cart.stream("c1")
    scenario.given(on(stream, ItemAdded(sku="pen", quantity=1))).when(stream, CheckOut(email=ADA)).then_rows(
        orders, Order(cart="c1", email="ada@example.org", items=1)
    )


def test_whatever_comes() -> None:
    explore(cart, invariant=lambda state: all(n > 0 for n in state.items.values()), runs=50)


def test_a_projection_that_the_scenario_was_not_given_is_named() -> None:
    with pytest.raises(DomainError, match="projection 'orders' is not in this scenario"):
        Scenario(shop).then_rows(orders)
