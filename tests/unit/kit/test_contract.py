"""The agreed contract: what old journals do not hold cannot be required."""

from __future__ import annotations

import pytest

from shardlog import Aggregate, Domain, Event, State
from shardlog.testing.kit import check_contract


class Book(State): ...


class Lent(Event):
    reader: str
    days: int = 14


book = Aggregate("book", initial=Book())
book.ignores(Lent)
library = Domain("library", aggregates=[book])


def test_a_new_field_with_a_default_is_read_from_old_journals() -> None:
    check_contract(library, {"book": {"events": {"lent/1": ["reader"]}}})


def test_a_new_field_that_is_required_is_not() -> None:
    with pytest.raises(
        AssertionError, match=r"journals hold book\.lent/1 without \['reader'\], and the class requires it"
    ):
        check_contract(library, {"book": {"events": {"lent/1": ["days"]}}})
