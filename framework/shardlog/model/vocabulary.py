"""The wire names of an aggregate's messages: one class for an event's name and version, one handler for a command."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shardlog.errors import DomainError
from shardlog.model.message_checks import check_message
from shardlog.model.messages import Command, Event
from shardlog.model.names import closest


class Vocabulary:
    """What an aggregate's category means by a name. It grows while handlers are registered, and is then only read."""

    def __init__(self, category: str, events: type[Event]) -> None:
        self._category = category
        self._event_family = events
        self._events: dict[tuple[str, int], type[Event]] = {}
        self._commands: dict[str, type[Command]] = {}
        self._handlers: dict[str, str] = {}
        self.events: Mapping[tuple[str, int], type[Event]] = MappingProxyType(self._events)
        self.commands: Mapping[str, type[Command]] = MappingProxyType(self._commands)

    def add_command(self, command: type[Command], handler: str) -> None:
        """Give a command its handler. Raises DomainError where its name has one."""
        check_message(command)
        name = command.__wire_name__
        if name in self._commands:
            first = self._handlers[name].partition(" of ")[0]
            second = handler.partition(" of ")[0]
            raise DomainError(
                f"command {name!r} of aggregate {self._category!r} has two handlers: {first} and {second}. "
                "One command, one decision; merge them or name a second command."
            )
        self._commands[name] = command
        self._handlers[name] = handler

    def add_event(self, event: type[Event], handler: str) -> None:
        """Declare an event of today. Raises DomainError where it is of another family, or its name is taken."""
        known = self._events.get((event.__wire_name__, event.__schema_version__))
        if known is not event and not issubclass(event, self._event_family):
            raise DomainError(
                f"{handler}: {event.__name__} is not of the family {self._event_family.__name__}, "
                f"so it is no event of aggregate {self._category!r}"
            )
        self.add_old_event(event)

    def add_old_event(self, event: type[Event]) -> None:
        """Declare an event that journals hold, of the family or not. Raises DomainError where its name is taken."""
        check_message(event)
        key = (event.__wire_name__, event.__schema_version__)
        known = self._events.setdefault(key, event)
        if known is not event:
            why = (
                f"The module was imported under two names ({known.__module__}, {event.__module__}): import it by one."
                if _are_twins(known, event)
                else "Give one of them `name=` or the next `version=`."
            )
            raise DomainError(
                f"two classes are {key[0]!r} version {key[1]} in aggregate {self._category!r}: "
                f"{known.__module__}.{known.__qualname__} and {event.__module__}.{event.__qualname__}. {why}"
            )

    def why_unknown(self, event: type[Event]) -> str:
        """Why an event class may be unknown here, to be put behind a sentence that says that it is."""
        for known in self._events.values():
            if _are_twins(known, event):
                return (
                    f": it is known as {known.__module__}.{known.__qualname__}, and this one is "
                    f"{event.__module__}.{event.__qualname__}. Was the module imported under two names?"
                )
        return closest(event.__name__, [known.__name__ for known in self._events.values()])


def _are_twins(one: type[Event], other: type[Event]) -> bool:
    return one.__qualname__ == other.__qualname__ and one.__module__ != other.__module__
