"""Domains and applications: checked as a whole, every problem at once."""

from __future__ import annotations

import pytest

from shardlog import (
    Aggregate,
    Application,
    Changes,
    Command,
    Domain,
    DomainError,
    Event,
    Key,
    Personal,
    ProcessManager,
    Projection,
    Recorded,
    RecordedRejection,
    Rejected,
    Row,
    Sends,
    State,
)


class Light(State): ...


class Switch(Command): ...


class Lost(Command): ...


class Switched(Event): ...


class Unknown(Event): ...


class Named(Event):
    owner: Personal[str]


class Seen(Row, name="seen"):
    id: Key[str]


def an_aggregate(category: str, event: type[Event] = Switched) -> Aggregate[Light, Command, Event]:
    aggregate: Aggregate[Light, Command, Event] = Aggregate(category, initial=Light())
    aggregate.ignores(event)
    return aggregate


def a_projection(name: str, *, rejections: tuple[str, ...] = (), table: type[Row] = Seen) -> Projection:
    projection = Projection(name, rows=[table], rejections=rejections)

    @projection.on
    def switched(event: Switched, recorded: Recorded) -> Changes:
        return None

    @projection.on_rejected
    def refused(rejection: RecordedRejection, recorded: Recorded) -> Changes:
        return None

    return projection


def test_an_application_is_read_by_category_and_name() -> None:
    home, street = (
        Domain("home", aggregates=[an_aggregate("lamp")]),
        Domain("street", aggregates=[an_aggregate("light")]),
    )
    projection = a_projection("seen")
    application = Application([home, street], [projection])
    assert set(application.aggregates) == {"lamp", "light"}
    assert application.projections == {"seen": projection}
    assert application.domain_of("light") is street
    assert not application.holds_personal


def test_a_projection_hears_rejections_of_the_domains_whose_events_it_hears() -> None:
    home = Domain("home", aggregates=[an_aggregate("lamp"), an_aggregate("bell", Unknown)])
    street = Domain("street", aggregates=[an_aggregate("light", Unknown)])
    all_of_home, named = a_projection("all_of_home"), a_projection("named", rejections=("light",))
    application = Application([home, street], [all_of_home])
    assert application.categories_heard(all_of_home) == {"lamp", "bell"}
    assert Application([home, street], [named]).categories_heard(named) == {"light"}
    deaf = Projection("deaf", rows=[])
    assert application.categories_heard(deaf) == frozenset()


def test_every_problem_is_listed_at_once() -> None:
    class Other(Row, name="seen"):
        key: Key[str]

    manager = ProcessManager("router")

    @manager.on
    def unknown(event: Unknown, recorded: Recorded) -> Sends:
        return None

    @manager.on_rejected
    def lost(rejected: Rejected[Lost]) -> Sends:
        return None

    one = Domain("one", aggregates=[an_aggregate("lamp")], process_managers=[manager])
    two = Domain("two", aggregates=[an_aggregate("lamp")])
    with pytest.raises(DomainError) as raised:
        Application(
            [one, two], [a_projection("p"), a_projection("p"), a_projection("q", rejections=("lmp",), table=Other)]
        )
    assert str(raised.value).splitlines() == [
        "the application has 6 problem(s):",
        "- 2 aggregates have the category 'lamp': rename all but one, or was one module imported under two names?",
        "- 2 projections have the name 'p': rename all but one, or was one module imported under two names?",
        "- projections 'p' and 'q' both keep the table 'seen': a table has one owner. Give one of the rows another "
        "`name=`.",
        "- process manager 'router' listens to Unknown, which no aggregate of the application evolves "
        "(an aggregate left out?)",
        "- projection 'q' listens to rejections of 'lmp', which is no category of the application; "
        "did you mean 'lamp'?",
        "- process manager 'router' listens to refusals of Lost, which no aggregate of the application handles",
    ]


def test_values_about_persons_need_a_key_store() -> None:
    domain = Domain("home", aggregates=[an_aggregate("lamp", Named)])
    with pytest.raises(DomainError, match=r"Named hold.s. Personal values, and no key store is configured"):
        Application([domain])
    assert Application([domain], has_key_store=True).holds_personal


def test_what_is_registered_after_the_domain_was_made_is_checked_too() -> None:
    aggregate = an_aggregate("lamp")
    domain = Domain("home", aggregates=[aggregate])

    @aggregate.decides
    def switch(state: Light, command: Switch) -> Unknown:
        return Unknown()

    with pytest.raises(DomainError, match="Unknown is returned by switch but has no evolve"):
        Application([domain])


def test_two_rows_of_one_projection_cannot_be_one_table() -> None:
    class Other(Row, name="seen"):
        key: Key[str]

    with pytest.raises(DomainError, match="rows Seen and Other of projection 'p' are both the table 'seen'"):
        Projection("p", rows=[Seen, Other])


def test_a_row_needs_a_key() -> None:
    class Keyless(Row):
        count: int = 0

    with pytest.raises(DomainError, match="row Keyless of projection 'p' has no key: mark a field"):
        Projection("p", rows=[Keyless])
