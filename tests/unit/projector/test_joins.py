"""Joins of two tables of a projection, one written by orders and one by customers, read as one view."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shardlog import (
    Aggregate,
    Application,
    AwareDatetime,
    Changes,
    Domain,
    DomainError,
    Event,
    Index,
    Join,
    Key,
    Projection,
    Recorded,
    Row,
    State,
    put,
)
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import ConfigurationError, TableMismatch
from shardlog.ports.builds import Build
from shardlog.projector.runner import Projector
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.projector.place import Place

SHARDS = 2


class Nothing(State): ...


class Ordered(Event):
    customer: str
    cents: int


class Named(Event):
    name: str


order = Aggregate("order", initial=Nothing())
order.ignores(Ordered)
customer = Aggregate("customer", initial=Nothing())
customer.ignores(Named)


class Order(Row, name="orders"):
    order: Key[str]
    customer: Index[str]
    cents: int
    at: AwareDatetime


class Customer(Row, name="customers"):
    id: Key[str]
    name: str = ""
    orders: int = 0


class Other(Row, name="others"):
    id: Key[str]
    number: int = 0


class Nobody(Row, name="nobody"):
    id: Key[str]
    text: str = ""


def shop(*views: Join, version: int = 1, name: str = "shop") -> Projection:
    projection = Projection(name, rows=[Order, Customer], views=views, version=version)

    @projection.on
    def ordered(event: Ordered, recorded: Recorded) -> Changes:
        return put(Order(order=recorded.id, customer=event.customer, cents=event.cents, at=recorded.occurred_at))

    @projection.on
    def named(event: Named, recorded: Recorded) -> Changes:
        return put(Customer(id=recorded.id, name=event.name))

    return projection


def orders_with_customers(name: str = "orders_with_customers", **options: object) -> Join:
    given: dict[str, object] = {"on": {"customer": "id"}, "right_columns": {"customer_name": "name"}, **options}
    return Join(name, Order, Customer, **given)  # type: ignore[arg-type]  # as the test wants it


def drained(projection: Projection, place: Place) -> None:
    journal = MemoryJournal(SHARDS)
    log = LogWriter(journal, SHARDS, "customer", None)
    log.happened(("ann", Named(name="Ann")), ("bob", Named(name="Bob")))
    log._category = "order"
    log.happened(("o1", Ordered(customer="ann", cents=5)), ("o2", Ordered(customer="eve", cents=7)))
    application = Application([Domain("shop", aggregates=[order, customer])], [projection])
    projector = Projector(journal, JOURNAL, SHARDS, application, [projection], place.make())
    projector.drain()
    assert projector.stopped == {}


def test_rows_of_different_aggregates_are_joined_when_they_are_read(place: Place) -> None:
    matching = orders_with_customers(left_columns=["order", "cents"])
    all_orders = orders_with_customers("all_orders", left_columns={"which": "order"}, keeps="left")
    drained(shop(matching, all_orders), place)
    assert place.seen("orders_with_customers") == [("o1", 5, "Ann")]
    assert place.seen("all_orders") == [("o1", "Ann"), ("o2", None)]


def test_a_join_over_several_columns_has_all_columns_but_those_joined_on_twice(place: Place) -> None:
    both = Join("same", Customer, Other, on={"name": "id", "orders": "number"})
    projection = Projection("names", rows=[Customer, Other], views=[both])

    @projection.on
    def named(event: Named, recorded: Recorded) -> Changes:
        other = Other(id=event.name, number=0 if event.name == "Ann" else 1)
        return put(Customer(id=recorded.id, name=event.name)), put(other)

    drained(projection, place)
    assert place.seen("same") == [("ann", "Ann", 0)]


def test_a_view_whose_name_and_columns_need_quotes_is_made(place: Place) -> None:
    drained(shop(orders_with_customers('Orders "and" order', left_columns={"select": "order"})), place)
    assert place.seen('"Orders ""and"" order"') == [("o1", "Ann")]


def test_the_join_of_another_version_stands_beside_and_is_switched_to_with_its_tables(place: Place) -> None:
    first = shop(orders_with_customers(left_columns=["order"]))
    second = shop(orders_with_customers(left_columns=["order", "cents"], keeps="left"), version=2)
    drained(first, place)
    store = place.make()
    store.builds.begin(Build(second, 1), {})
    assert place.seen("orders_with_customers") == [("o1", "Ann")]
    store.builds.switch(Build(second, 1).key, {})
    assert place.seen("orders_with_customers") == []
    with place.engine.begin() as connection:
        connection.execute(text("INSERT INTO orders_v2 SELECT * FROM orders_v1"))
    assert place.seen("orders_with_customers") == [("o1", 5, None), ("o2", 7, None)]
    store.builds.drop(Build(first, 1).key)
    assert place.seen("orders_with_customers") == [("o1", 5, None), ("o2", 7, None)]
    with pytest.raises(DBAPIError):
        place.seen("orders_with_customers_v1")


def test_a_version_without_the_join_has_no_view_of_it(place: Place) -> None:
    drained(shop(orders_with_customers()), place)
    store, second = place.make(), Build(shop(version=2), 1)
    store.builds.begin(second, {})
    store.builds.switch(second.key, {})
    with pytest.raises(DBAPIError):
        place.seen("orders_with_customers")


def test_a_join_that_was_added_or_changed_without_another_version_is_named(place: Place) -> None:
    drained(shop(orders_with_customers(left_columns=["order"])), place)
    changed = shop(orders_with_customers(left_columns=["order", "cents"]))
    said = "'orders_with_customers_v1' of join 'orders_with_customers' has the columns order, customer_name, and not "
    with pytest.raises(TableMismatch, match=f"{said}order, cents, customer_name. Rebuild"):
        place.make().prepare(Build(changed, 1))
    with pytest.raises(TableMismatch, match="view 'more_v1' of join 'more' is missing"):
        place.make().prepare(Build(shop(orders_with_customers("more")), 1))


def test_what_is_said_of_a_join_and_of_its_columns_is_read_by_analysts(place: Place) -> None:
    drained(shop(orders_with_customers(comment="Who ordered what.")), place)
    if place.engine.dialect.name == "sqlite":
        with place.engine.connect() as connection:
            made = "SELECT sql FROM sqlite_master WHERE name = 'orders_with_customers'"
            assert "/* Who ordered what. */" in connection.execute(text(made)).scalar_one()
    else:
        with place.engine.begin() as connection:
            comment = "SELECT obj_description('orders_with_customers'::regclass)"
            assert connection.execute(text(comment)).scalar_one() == "Who ordered what."


def test_a_view_that_another_projection_has_is_refused(place: Place) -> None:
    drained(shop(orders_with_customers()), place)
    other = Projection("other", rows=[Other, Nobody], views=[Join("orders_with_customers", Other, Nobody, on=["id"])])
    with pytest.raises(TableMismatch, match="'orders_with_customers'"):
        place.make().builds.begin(Build(other, 1), {})


@pytest.mark.parametrize(("name", "said"), [("shardlog_join", "shardlog's own"), ("j" * 61, "a shorter name")])
def test_a_name_that_cannot_be_is_refused(place: Place, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        place.make().builds.begin(Build(shop(orders_with_customers(name)), 1), {})


WRONG: dict[str, Callable[[], object]] = {
    "join 'j' joins Order with itself: a join is of two tables": lambda: Join("j", Order, Order, on=["order"]),
    "join 'j': on names 'custmer', and Order has no such column; did you mean 'customer'?": lambda: Join(
        "j", Order, Customer, on={"custmer": "id"}
    ),
    "join 'j': right_columns names 'nam', and Customer has no such column; did you mean 'name'?": lambda: Join(
        "j", Order, Customer, on={"customer": "id"}, right_columns=["nam"]
    ),
    "join 'j': Order.customer is str and Customer.orders is int: they are never equal. Join columns of one type": (
        lambda: Join("j", Order, Customer, on={"customer": "orders"})
    ),
    "join 'j': on is empty, and each row would be joined with all: name the columns that agree": lambda: Join(
        "j", Order, Customer, on=[]
    ),
    "join 'j': on='customer', and must be names of columns: `on=[...]`, or a mapping to them": lambda: Join(
        "j", Order, Customer, on="customer"
    ),
    "join 'j' has two columns 'id', of Customer and of Other: give one another name, as in "
    "`right_columns={'other_id': 'id'}`": lambda: Join("j", Customer, Other, on={"orders": "number"}),
    "join 'j' has no columns: name some as left_columns or right_columns": lambda: Join(
        "j", Order, Customer, on={"customer": "id"}, left_columns=[], right_columns=[]
    ),
    "join 'j': keeps='outer', and must be one of matches, left": lambda: orders_with_customers("j", keeps="outer"),
    "join 'j': right is 'Customer' of type str, and must be a class derived from Row": lambda: Join(
        "j", Order, "Customer", on=["id"]
    ),  # type: ignore[arg-type]  # the mistake
    "join 'j' is of Other: projection 'shop' has no such row. Name it there: "
    "`Projection('shop', rows=[Order, Customer, Other])`": lambda: shop(Join("j", Customer, Other, on={"name": "id"})),
    "join 'orders' of projection 'shop' has the name of another of its tables or views: give it one of its own": (
        lambda: shop(orders_with_customers("orders"))
    ),
    "projection 'shop': views has 5 of type int, and takes Join only": lambda: shop(5),  # type: ignore[arg-type]
    "the application has 1 problem(s):\n- projections 'shop' and 'more' both keep the view 'orders_with_customers': a "
    "table has one owner. Give one of the joins another name.": lambda: Application(
        [Domain("shop", aggregates=[order, customer])],
        [
            shop(orders_with_customers()),
            Projection("more", rows=[Other, Nobody], views=[Join("orders_with_customers", Other, Nobody, on=["id"])]),
        ],
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_join_is_refused(said: str) -> None:
    with pytest.raises(DomainError) as refused:
        WRONG[said]()
    assert str(refused.value) == said
