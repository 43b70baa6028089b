"""A shopping cart that grew: a renamed event, a new version, a split, a dropped event, and a person's data."""

from collections.abc import Mapping
from typing import Annotated

from shardlog import (
    Aggregate,
    Changes,
    Command,
    Domain,
    Event,
    Key,
    Meta,
    Personal,
    Projection,
    Recorded,
    Row,
    State,
    put,
    reject,
    remove,
    replace,
    update,
)


class Cart(State):
    items: Mapping[str, int] = {}
    email: Personal[str] | None = None
    checked_out: bool = False


class CartCommand(Command): ...


class CartEvent(Event): ...


class AddItem(CartCommand):
    sku: str
    quantity: Annotated[int, Meta(ge=1, le=100)] = 1


class CheckOut(CartCommand):
    email: Personal[str]


class ItemAdded(CartEvent, version=2):  # version 2: quantity
    sku: str
    quantity: int


class ContactGiven(CartEvent):  # was a part of checked_out version 1
    email: Personal[str]


class CartCheckedOut(CartEvent, name="checked_out", version=2):  # the class was renamed, the wire name was not
    items: int


# What old journals hold. These classes are read, never written: they are no CartEvent, so no decision may return them.
class ItemAddedV1(Event, name="item_added"):
    sku: str


class CheckedOutV1(Event, name="checked_out"):
    email: Personal[str]
    items: int


class CouponShown(Event): ...


cart = Aggregate("cart", initial=Cart(), commands=CartCommand, events=CartEvent)


@cart.upcasts
def item_added_v1(old: ItemAddedV1) -> ItemAdded:
    return ItemAdded(sku=old.sku, quantity=1)


@cart.upcasts
def checked_out_v1(old: CheckedOutV1) -> tuple[ContactGiven, CartCheckedOut]:
    return ContactGiven(email=old.email), CartCheckedOut(items=old.items)


@cart.upcasts
def coupon_shown(old: CouponShown) -> None:
    return None


@cart.decides
def add_item(state: Cart, command: AddItem) -> ItemAdded:
    if state.checked_out:
        reject("checked_out", "start a new cart")
    return ItemAdded(sku=command.sku, quantity=command.quantity)


@cart.decides
def check_out(state: Cart, command: CheckOut) -> tuple[ContactGiven, CartCheckedOut]:
    if not state.items:
        reject("empty_cart", "add an item first")
    return ContactGiven(email=command.email), CartCheckedOut(items=sum(state.items.values()))


@cart.evolves
def item_added(state: Cart, event: ItemAdded) -> Cart:
    return replace(state, items={**state.items, event.sku: state.items.get(event.sku, 0) + event.quantity})


@cart.evolves
def contact_given(state: Cart, event: ContactGiven) -> Cart:
    return replace(state, email=event.email)


@cart.evolves
def checked_out(state: Cart, event: CartCheckedOut) -> Cart:
    return replace(state, checked_out=True)


class Order(Row, name="orders"):
    cart: Key[str]
    email: str
    items: int = 0


orders = Projection("orders", rows=[Order])


@orders.on
def order_contact(event: ContactGiven, recorded: Recorded) -> Changes:
    email = event.email.reveal()
    return remove(Order, recorded.id) if email is None else put(Order(cart=recorded.id, email=email))


@orders.on
def order_placed(event: CartCheckedOut, recorded: Recorded) -> Changes:
    return update(Order, recorded.id, items=event.items)


shop = Domain("shop", aggregates=[cart])
