"""A cart whose events have a past: what was once an item with its price in a text became two events."""

from __future__ import annotations

from shardlog import Aggregate, Application, Command, Domain, Event, State, replace


class Cart(State):
    items: int = 0
    cents: int = 0


class CartCommand(Command): ...


class CartEvent(Event): ...


class Add(CartCommand):
    sku: str
    cents: int


class ItemAddedV1(Event, name="item_added", version=1):
    """price: as in "12.50". note: came later, while this was still the newest version."""

    sku: str
    price: str
    note: str | None = None


class ItemAdded(CartEvent, version=2):
    sku: str


class Priced(CartEvent):
    sku: str
    cents: int


cart = Aggregate("cart", initial=Cart(), commands=CartCommand, events=CartEvent)


@cart.decides
def add(state: Cart, command: Add) -> tuple[ItemAdded, Priced]:
    return ItemAdded(sku=command.sku), Priced(sku=command.sku, cents=command.cents)


@cart.upcasts
def item_added_v1(old: ItemAddedV1) -> tuple[ItemAdded, Priced]:
    units, _, rest = old.price.partition(".")
    return ItemAdded(sku=old.sku), Priced(sku=old.sku, cents=int(units) * 100 + int(rest or 0))


@cart.evolves
def added(state: Cart, event: ItemAdded) -> Cart:
    return replace(state, items=state.items + 1)


@cart.evolves
def priced(state: Cart, event: Priced) -> Cart:
    return replace(state, cents=state.cents + event.cents)


application = Application([Domain("shop", aggregates=[cart])])
