"""What one projection makes of some frames: coalesced changes and dead letters. Pure: nothing is written here."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from shardlog.codec.json import encode
from shardlog.errors import DeadLettersFull, DomainError, HandlerFailed, RowShared
from shardlog.model.application import Application
from shardlog.model.batches import Batch, HeardBatches, OpenTables
from shardlog.model.changes import RETURN_CHANGES, Change, Increment, Put, Remove, Update
from shardlog.model.messages import Event, Recorded, RecordedRejection, Row
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.model.upcasting import upcast
from shardlog.ports.projections import DeadLetter, LetterState, Stream, TableChanges
from shardlog.projector.coalesce import TableCoalescer
from shardlog.projector.heard import Heard, OldEvent, event_tag
from shardlog.projector.parking import Parking
from shardlog.projector.row_owners import RowOwners

TRACEBACK_CHARACTERS_MAX = 10_000


class Why(NamedTuple):
    """Why an event is a dead letter."""

    error: str
    traceback: str


class ChangesRefused(Exception):
    """Changes of one event do not fit, and some of them are in the draft: it is thrown away and drawn up anew without
    them. Never leaves the projector."""

    def __init__(self, position: Position, why: Why) -> None:
        super().__init__(why.error)
        self.position = position
        self.why = why


class Listener:
    """A projection's handlers, as drafts want them.

    application: None where no rejections come. retries: what fails is a dead letter already, and stops nothing.
    """

    def __init__(self, projection: Projection, application: Application | None, *, retries: bool = False) -> None:
        self.projection = projection
        self.stops = projection.on_failure == "stop" and not retries
        self.handlers: dict[type[Any], Callable[[Any, Recorded], Any]] = dict(projection.handlers)
        self._rejected_categories = application.categories_heard(projection) if application else frozenset[str]()
        if projection.rejection_handler is not None:
            self.handlers[RecordedRejection] = projection.rejection_handler
        self.batches = projection.batch_handlers
        self.batched: frozenset[type[Any]] = frozenset(event for heard in self.batches for event in heard.events)
        for event in self.batched:
            self.handlers.setdefault(event, _no_changes)
        self._hears_old = bool(projection.heard_events)
        if self.batched:
            self.batched |= {OldEvent}

    def changes_of_old(self, old: OldEvent, recorded: Recorded) -> list[Change]:
        """The changes of all that an event of an old version becomes."""
        heard = [event for event in upcast(old.aggregate, old.event) if type(event) in self.handlers]
        return [change for event in heard for change in listed(self.handlers[type(event)](event, recorded))]

    def is_deaf_to(self, kind: type[Any], event: Any) -> bool:
        """Whether an event without a handler of its own, or a rejection, is not heard."""
        if kind is RecordedRejection:
            return kind not in self.handlers or event.category not in self._rejected_categories
        return kind is not OldEvent or not self._hears_old or self._is_deaf_to_old(event)

    def _is_deaf_to_old(self, old: OldEvent) -> bool:
        """Whether nothing that an event of an old version becomes is heard. An upcaster that raises is heard."""
        try:
            return not any(type(event) in self.handlers for event in upcast(old.aggregate, old.event))
        except Exception:  # noqa: BLE001  # it says so when it is handled
            return False


_CHANGES = frozenset({Increment, Put, Update, Remove})


class Draft:
    """One projection's changes over the frames of one batch.

    condemned: positions whose rows the store refused, with the reason; they become dead letters. owners: checks that
    no row is written from two routing keys, where that is asked for. is_torn: it was left half-way and is not written.
    """

    def __init__(
        self,
        listener: Listener,
        parking: Parking,
        condemned: Mapping[Position, Why],
        dead_letters_max: int,
        owners: RowOwners | None = None,
    ) -> None:
        self.heard = 0
        self.is_torn = False
        self.letters: list[DeadLetter] = []
        self._listener = listener
        self._parking = parking
        self._condemned = condemned
        self._owners = owners
        self._letters_left = dead_letters_max - parking.letters
        self._newly_parked: set[Stream] = set()
        self._tables = {row: TableCoalescer(row) for row in listener.projection.rows}
        self._gathered: list[list[tuple[Event, Recorded]]] = [[] for _ in listener.batches]
        self._is_careful = bool(parking.parked or parking.decided or condemned)

    @property
    def is_plain(self) -> bool:
        """Whether it is whole, has no dead letters, and no handler of batches writes with it."""
        return not (self.is_torn or self.letters or self._listener.batches)

    def hear(self, items: Iterable[Heard]) -> None:
        """Take what is heard of one frame.

        Raises ChangesRefused where the draft must be drawn up anew, HandlerFailed where the projection must stop.
        """
        listener = self._listener
        handlers, tables, is_checked = listener.handlers, self._tables, self._owners is not None
        batched = listener.batched
        for kind, event, recorded in items:
            handler = handlers.get(kind)
            if (handler is None or kind is RecordedRejection) and listener.is_deaf_to(kind, event):
                continue
            self.heard += 1
            if self._is_careful and self._is_held(kind, event, recorded):
                continue
            try:
                changes = handler(event, recorded) if handler is not None else listener.changes_of_old(event, recorded)
            except Exception as error:  # noqa: BLE001  # whatever a handler raises is the event's dead letter
                self._fail(kind, event, recorded, reason(error))
                continue
            if kind in batched:
                self._gather(event, recorded)
            if changes is None:
                continue
            try:
                several: Sequence[Any] = (changes,) if type(changes) in _CHANGES else listed(changes)
                for change in several:
                    if is_checked:
                        self._apply(change, recorded)
                    elif type(change) is Increment:
                        tables[change.row_type].increment(change.key, change.values)
                    elif type(change) is Put:
                        tables[type(change.row)].put(change.row)
                    else:
                        self._apply(change, recorded)
            except RowShared:
                raise
            except Exception as error:  # as above, for what it returned
                raise ChangesRefused(position_of(recorded), self._misfit(changes, error)) from error

    def changes(self) -> list[TableChanges]:
        """The coalesced changes of all tables that have some. Raises DomainError where one does not fit."""
        return [table.changes() for table in self._tables.values() if len(table)]

    def writers(self) -> list[Callable[[OpenTables], None]]:
        """What the handlers of batches write, for those that have heard something."""
        projection = self._listener.projection
        return [
            partial(_write_batch, projection, heard, events)
            for heard, events in zip(self._listener.batches, self._gathered, strict=True)
            if events
        ]

    def _gather(self, event: Any, recorded: Recorded) -> None:
        """Keep an event, or what one of an old version becomes, for the handlers of batches that hear it."""
        for newest in upcast(event.aggregate, event.event) if type(event) is OldEvent else (event,):
            for (_, heard), events in zip(self._listener.batches, self._gathered, strict=True):
                if type(newest) in heard:
                    events.append((newest, recorded))

    def _apply(self, change: Change, recorded: Recorded) -> None:
        if self._owners is not None:
            self._owners.note(change, recorded)
        match change:
            case Put(row):
                self._tables[type(row)].put(row)
            case Update(row_type, key, values):
                self._tables[row_type].update(key, values)
            case Increment(row_type, key, amounts):
                self._tables[row_type].increment(key, amounts)
            case Remove(row_type, key):
                self._tables[row_type].remove(key)
            case _:
                raise DomainError(f"{change!r} is no change: {RETURN_CHANGES}")

    def _is_held(self, kind: type[Any], event: Any, recorded: Recorded) -> bool:
        """Whether the event is a dead letter already, or becomes one now."""
        parking, position = self._parking, position_of(recorded)
        if position in parking.decided:
            return True
        stream = (recorded.category, recorded.id)
        if stream in self._newly_parked or parking.is_behind(recorded, position):
            self._add_letter(kind, event, recorded, Why("", ""), "parked")
            return True
        why = self._condemned.get(position)
        if why is not None:
            self._fail(kind, event, recorded, why)
        return why is not None

    def _fail(self, kind: type[Any], event: Any, recorded: Recorded, why: Why) -> None:
        name = self._listener.projection.name
        skip = f"or skip this event alone, by `shardlog projections skip {name} {position_of(recorded).token}`"
        if self._parking.is_rebuilding(position_of(recorded)):
            raise self._stop(
                "the rebuild",
                recorded,
                why,
                f"It is no dead letter of what serves: repair the handler, and start again or `shardlog rebuild {name} "
                f"--resume`; {skip}.",
            )
        if self._listener.stops:
            raise self._stop(
                "it",
                recorded,
                why,
                "What comes before is written, and on_failure='stop' makes no dead letters: repair the handler, and "
                f"start again or resume; {skip}.",
            )
        self._add_letter(kind, event, recorded, why, "failed")
        self._newly_parked.add((recorded.category, recorded.id))
        self._is_careful = True

    def _stop(self, who: str, recorded: Recorded, why: Why, next_step: str) -> HandlerFailed:
        return HandlerFailed(
            f"projection {self._listener.projection.name!r}: {who} stops at {recorded.category}/{recorded.id} version "
            f"{recorded.version}, position {position_of(recorded).token}: {why.error}. {next_step}\n{why.traceback}"
        )

    def _add_letter(self, kind: type[Any], event: Any, recorded: Recorded, why: Why, state: LetterState) -> None:
        if len(self.letters) >= self._letters_left:
            raise DeadLettersFull(
                f"projection {self._listener.projection.name!r} has {self._parking.letters + len(self.letters)} dead "
                f"letters, which is dead_letters_max, and {recorded.category}/{recorded.id} version {recorded.version} "
                f"would be the next ({why.error or 'parked'}). It is stopped: repair the handler, retry or skip, "
                "and go on."
            )
        self.letters.append(dead_letter(kind, event, recorded, why, state))

    def _misfit(self, changes: Any, error: Exception) -> Why:
        if isinstance(error, KeyError) and isinstance(error.args[0], type) and issubclass(error.args[0], Row):
            name = self._listener.projection.name
            return Why(f"a change of {error.args[0].__name__}, which is no row of projection {name!r}: {changes!r}", "")
        return reason(error)


def _no_changes(_event: Event, _recorded: Recorded) -> None:
    """What an event that only handlers of batches hear changes."""


def _write_batch(
    projection: Projection, heard: HeardBatches, events: Sequence[tuple[Event, Recorded]], tables: OpenTables
) -> None:
    heard.handler(Batch(events, tables, projection.why_undeclared))


def dead_letter(kind: type[Any], event: Any, recorded: Recorded, why: Why, state: LetterState) -> DeadLetter:
    """The dead letter of something heard, with all that is needed to hear it again."""
    data: Event | RecordedRejection = event.event if kind is OldEvent else event
    if isinstance(data, RecordedRejection):
        event_type = f"{recorded.category}/{data.command}/rejected"
    else:
        event_type = event_tag(recorded.category, type(data))
    return DeadLetter(
        position=position_of(recorded),
        category=recorded.category,
        id=recorded.id,
        stream_version=recorded.version,
        event_type=event_type,
        state=state,
        error=why.error,
        traceback=why.traceback,
        recorded=encode(recorded).decode(),
        data=encode(data).decode(),
    )


def reason(error: BaseException) -> Why:
    """An exception as the reason of a dead letter."""
    shown = "".join(traceback.format_exception(error))
    return Why(_kept(f"{type(error).__name__}: {error}"), _kept(shown[-TRACEBACK_CHARACTERS_MAX:]))


def _kept(text: str) -> str:
    """With escapes for characters that not every database keeps: else the reason would be that it does not."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def listed(changes: Any) -> Sequence[Change]:
    """What a handler returned, as a sequence. Raises DomainError for what can be none."""
    if type(changes) is tuple:
        return cast("tuple[Change, ...]", changes)
    if isinstance(changes, (Increment, Put, Update, Remove)):  # a union would be made anew at each call
        return (changes,)
    if changes is None:
        return ()
    if not isinstance(changes, Sequence) or isinstance(changes, str | bytes):
        raise DomainError(f"{changes!r} is no change: {RETURN_CHANGES}")
    return changes


def position_of(recorded: Recorded) -> Position:
    """The position, which everything that a projection hears has."""
    assert recorded.position is not None
    return recorded.position
