"""What is given in the wrong place or of the wrong kind is named, with what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from shardlog import (
    Aggregate,
    Application,
    Command,
    Domain,
    DomainError,
    Event,
    Key,
    ProcessManager,
    Projection,
    Row,
    State,
)


class Book(State): ...


class BookRow(Row):
    book: Key[str]


class Codes(StrEnum):
    LENT = "lent"


book = Aggregate("book", initial=Book())
library = Domain("library", aggregates=[book])
books = Projection("books", rows=[BookRow])
lending = ProcessManager("lending")


def wrong(value: object) -> Any:
    """What a type checker would refuse."""
    return value


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Application(domains=wrong(library)),
            "application: domains is Domain 'library', and must be a list of Domain: write `domains=[...]`",
        ),
        (
            lambda: Application(domains=wrong([book])),
            "application: domains has Aggregate 'book', and takes Domain only: it belongs in "
            "`Domain(..., aggregates=[...])`",
        ),
        (
            lambda: Application([library], projections=wrong([library])),
            "application: projections has Domain 'library', and takes Projection only: it belongs in "
            "`Application([...])`",
        ),
        (
            lambda: Application(wrong([None])),
            "application: domains has None, and takes Domain only",
        ),
        (
            lambda: Domain("x", aggregates=wrong(book)),
            "domain 'x': aggregates is Aggregate 'book', and must be a list of Aggregate: write `aggregates=[...]`",
        ),
        (
            lambda: Domain("x", aggregates=wrong([Book])),
            "domain 'x': aggregates has the class Book, and takes Aggregate only",
        ),
        (
            lambda: Domain("x", aggregates=wrong([lending])),
            "domain 'x': aggregates has ProcessManager 'lending', and takes Aggregate only: it belongs in "
            "`Domain(..., process_managers=[...])`",
        ),
        (
            lambda: Domain("x", aggregates=[], process_managers=wrong([books])),
            "domain 'x': process_managers has Projection 'books', and takes ProcessManager only: it belongs in "
            "`Application(..., projections=[...])`",
        ),
        (
            lambda: Domain(wrong([book]), aggregates=[book]),
            f"domain {[book]!r} of type list: its first argument is its name, a str that is not empty",
        ),
        (
            lambda: ProcessManager(wrong(None)),
            "process manager None: its first argument is its name, a str that is not empty",
        ),
        (
            lambda: Projection("x", rows=wrong(BookRow)),
            "projection 'x': rows is the class BookRow, and must be a list of classes derived from Row: "
            "write `rows=[...]`",
        ),
        (
            lambda: Projection("x", rows=wrong([BookRow(book="a")])),
            "projection 'x': rows has BookRow(book='a') of type BookRow, and takes classes derived from Row only",
        ),
        (
            lambda: Projection("x", rows=wrong([Book])),
            "projection 'x': rows has the class Book, and takes classes derived from Row only",
        ),
        (
            lambda: Projection(wrong(5), rows=[BookRow]),
            "projection 5 of type int: its first argument is its name, a str that is not empty",
        ),
        (
            lambda: Projection("x", rows=[BookRow], version=wrong("2")),
            "projection 'x': version='2', and must be an int, 1 or more",
        ),
        (
            lambda: Projection("x", rows=[BookRow], rejections=wrong([book])),
            "projection 'x': rejections has Aggregate 'book', and takes str only: it belongs in "
            "`Domain(..., aggregates=[...])`",
        ),
        (
            lambda: Aggregate("x", initial=Book(), rejects=wrong("x")),
            "aggregate 'x': rejects is 'x' of type str, and must be a class derived from StrEnum",
        ),
        (
            lambda: Aggregate("x", initial=Book(), rejects=wrong(Codes.LENT)),
            "aggregate 'x': rejects is <Codes.LENT: 'lent'> of type Codes, and must be a class derived from StrEnum",
        ),
        (
            lambda: Aggregate("x", initial=Book(), commands=wrong([Command])),
            "aggregate 'x': commands is [<class 'shardlog.model.messages.Command'>] of type list, and must be a class "
            "derived from Command",
        ),
        (
            lambda: Aggregate("x", initial=Book(), events=wrong(Book)),
            "aggregate 'x': events is the class Book, and must be a class derived from Event",
        ),
        (
            lambda: Aggregate("x", initial=Book(), routing_parts=wrong("1")),
            "aggregate 'x': routing_parts='1', and must be an int, 1 or more; None for the whole id",
        ),
        (
            lambda: Aggregate(wrong(Book), initial=Book()),
            "aggregate the class Book: its first argument is its name, a str that is not empty",
        ),
    ],
)
def test_what_does_not_belong_there_is_named_with_what_does(build: Callable[[], object], message: str) -> None:
    with pytest.raises(DomainError) as raised:
        build()
    assert str(raised.value) == message


def test_any_collection_or_iterator_of_parts_is_taken() -> None:
    domain = Domain("x", aggregates=wrong(iter([book])), process_managers=(lending,))
    application = Application(wrong(part for part in [domain]), projections=wrong({"books": books}.values()))
    assert list(application.aggregates) == ["book"]
    assert list(application.projections) == ["books"]


def test_the_families_may_be_said_to_be_all_there_are() -> None:
    assert Aggregate("x", initial=Book(), commands=Command, events=Event).category == "x"
