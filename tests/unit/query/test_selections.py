"""What is wrong with a parameter is said so that whoever typed it can mend it."""

from __future__ import annotations

import pytest

from shardlog import AwareDatetime, Key, Projection, Row
from shardlog.query.problems import RequestRefused
from shardlog.query.selections import Limits, parameters_of, selection_of


class Visit(Row, name="visits"):
    visitor: Key[str]
    at: AwareDatetime


visits = Projection("visits", rows=[Visit])


def refusal(query: bytes) -> str:
    with pytest.raises(RequestRefused) as refused:
        selection_of(visits, Visit, parameters_of(query), Limits(10, 100))
    return str(refused.value)


def test_a_plus_of_a_time_zone_that_became_a_space_is_recognised() -> None:
    assert "; in a URL + means a space: write it as %2B" in refusal(b"at.gte=2026-03-01T12:00:00+01:00")
    selection_of(visits, Visit, parameters_of(b"at.gte=2026-03-01T12:00:00%2B01:00"), Limits(10, 100))


@pytest.mark.parametrize("query", [b"at=2026-03-01T12:00:00", b"at=2026-03-01+12:00:00", b"at=2026-03-01+12:00"])
def test_a_time_that_lacks_its_zone_is_not_taken_for_one_that_lost_its_plus(query: bytes) -> None:
    assert refusal(query).endswith("must be a time with its zone, as in 2026-03-01T12:00:00Z")


def test_a_name_that_is_nearly_right_is_offered_behind_all_that_there_are() -> None:
    assert refusal(b"sort=visitr").endswith(
        "sort: there is no 'visitr'; there are: visitor, at; did you mean 'visitor'?"
    )
