"""Snapshots that code of other types, aggregates or limits has made: used where states are read as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shardlog import Aggregate, Application, Command, Domain, Event, State, replace
from shardlog.executor.limits import Limits
from shardlog.snapshots.reading import Snapshot
from tests.unit.executor.scales import Weigh, scales
from tests.unit.executor.served import Served
from tests.unit.executor.snapshots import Kept, busy, loaded, made, start_of


class Put(Command, name="put"):
    amount: int


class WasPut(Event, name="was_put"):
    amount: int


def shelf(fields: Mapping[str, Any]) -> Application:
    """An aggregate whose state has these fields, each with its default."""
    types = {name: type(default) for name, default in fields.items()}
    state_type: Any = type("Shelf", (State,), {"__annotations__": types, **fields, "__module__": __name__})
    aggregate: Any = Aggregate("account", initial=state_type(), routing_parts=1)

    @aggregate.decides  # type: ignore[untyped-decorator]
    def put(state: state_type, command: Put) -> WasPut:  # type: ignore[valid-type]
        return WasPut(amount=command.amount)

    @aggregate.evolves  # type: ignore[untyped-decorator]
    def was_put(state: state_type, event: WasPut) -> state_type:  # type: ignore[valid-type]
        return replace(state, amount=state.amount + event.amount)  # type: ignore[attr-defined]

    return Application([Domain("shelves", aggregates=[aggregate])])


@pytest.mark.parametrize(
    "fields", [{"amount": 0, "more": 1}, {"amount": 5}], ids=["another field", "another beginning"]
)
def test_a_snapshot_of_another_state_type_is_not_used(caplog: pytest.LogCaptureFixture, fields: Any) -> None:
    kept = Kept(application=shelf({"amount": 0}))
    served = Served(application=kept.application, snapshots=kept).serve()
    served.send("a:1", Put(amount=3))
    made(served, kept)
    other = shelf(fields)
    fresh = served.restarted(application=other, snapshots=kept.again(application=other)).serve()
    assert "the state type of 'account' is another now" in caplog.text
    assert fresh.state("a:1").amount == fields["amount"] + 3


def test_a_state_that_is_not_what_its_json_gives_back_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(application=scales())
    served = Served(application=kept.application, snapshots=kept).serve()
    served.send("a:1", Weigh(grams=3000))
    with monkeypatch.context() as unread:  # as one whose process ended before it was read back
        unread.setattr(Snapshot, "check", lambda self, pace: None)
        made(served, kept)
    fresh = loaded(served, kept)
    assert start_of(fresh) is None
    assert "a state is not what its JSON gives back" in caplog.text


def test_a_snapshot_of_an_aggregate_that_is_no_more_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    served = busy(kept)
    made(served, kept)
    fresh = served.restarted(application=shelf({"amount": 0}), snapshots=kept.again(application=shelf({"amount": 0})))
    assert start_of(fresh) is None


def test_a_snapshot_stays_usable_when_an_aggregate_is_added() -> None:
    one = shelf({"amount": 0})
    kept = Kept(application=one)
    served = Served(application=one, snapshots=kept).serve()
    served.send("a:1", Put(amount=3))
    key = made(served, kept)

    class Lamp(State):
        is_lit: bool = False

    two = Application([*one.domains, Domain("lamps", aggregates=[Aggregate("lamp", initial=Lamp())])])
    fresh = served.restarted(application=two, snapshots=kept.again(application=two)).serve()
    assert start_of(fresh) == key
    assert fresh.state("a:1").amount == 3


def test_limits_of_the_counted_window_may_change(kept: Kept) -> None:
    served = busy(kept)
    made(served, kept)
    fresh = loaded(served, kept, limits=Limits(dedupe_counted_ids_max=3))
    assert start_of(fresh) is not None
