"""A domain of whose states some are not what their JSON gives back."""

from __future__ import annotations

from typing import Any

from shardlog import Aggregate, Application, Command, Domain, Event, State, replace


class Weigh(Command):
    grams: int


class Weighed(Event):
    grams: int


def scales() -> Application:
    """Whole kilos are ints where a float is declared: they would come back as other values and other texts."""

    class Weight(State, floats=True):
        kilos: float = 0.0

    scale: Aggregate[Any, Any, Any] = Aggregate("account", initial=Weight(), routing_parts=1)

    @scale.decides
    def weigh(state: Weight, command: Weigh) -> Weighed:
        return Weighed(grams=command.grams)

    @scale.evolves
    def weighed(state: Weight, event: Weighed) -> Weight:
        return replace(state, kilos=event.grams / 1000 if event.grams % 1000 else event.grams // 1000)

    return Application([Domain("scales", aggregates=[scale])])
