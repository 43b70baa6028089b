"""What an operator does with dead letters: look at them, try a stream's again, skip one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shardlog.codec.json import decoder
from shardlog.errors import DomainError, HandlerFailed, ProjectionError, RowsRefused
from shardlog.model.application import Application
from shardlog.model.messages import Recorded, RecordedRejection
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build, BuildKey
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore
from shardlog.projector.core import next_offsets
from shardlog.projector.draft import ChangesRefused, Draft, Listener
from shardlog.projector.heard import Heard, OldEvent, events_by_tag
from shardlog.projector.parking import Parking


def follow_letters(application: Application, store: ProjectionStore, build: Build, other: BuildKey) -> int:
    """Settle dead letters in a build that were settled in the other one, which it took them over from: see `follow`.

    Those of all shards, as far as the build has read them. Returns how many. Raises CheckpointMoved where somebody else
    settles them at the same time, and StoreUnavailable.
    """
    stored = store.stored(build.key)
    if all(letter.state == "skipped" for letter in stored.letters):
        return 0
    read = next_offsets(stored.checkpoints)
    return DeadLetters(application, build, store).follow(store.dead_letters(other), read)


class DeadLetters:
    """The dead letters of one build of a projection. A projector may run meanwhile, here or elsewhere.

    A letter that is handled changes rows after events of other streams that came later. A row that events of several
    streams put or update may then differ from what a rebuild gives; rebuild where that matters.
    """

    def __init__(self, application: Application, build: Build, store: ProjectionStore) -> None:
        self._listener = Listener(build.projection, application, retries=True)
        self.build = build
        self._store = store
        self._events = events_by_tag(application)

    def letters(self, *, include_skipped: bool = False) -> list[DeadLetter]:
        """All that are open, by stream in order."""
        letters = self._store.dead_letters(self.build.key)
        return letters if include_skipped else _open(letters)

    def retry(self, category: str, id: str) -> int:
        """Work through a stream's dead letters in order, a transaction each. Returns how many were handled.

        Raises HandlerFailed at the first that fails again; it and those behind it stay. Raises CheckpointMoved where
        another worker settles them at the same time.
        """
        handled = 0
        while letters := self._open(category, id):
            for letter in letters:
                self._handle(letter, handled)
                handled += 1
        return handled

    def skip(self, position: Position) -> None:
        """Drop a stream's first dead letter. Rebuilds will pass it over too; those behind it wait for `retry`.

        Raises ProjectionError where there is none at this position, or another one comes first.
        """
        letter = next((letter for letter in self.letters() if letter.position == position), None)
        if letter is None:
            raise ProjectionError(f"projection {self.build.name!r} has no open dead letter at {position.token}")
        first = self._open(letter.category, letter.id)[0]
        if first.position != position:
            raise ProjectionError(
                f"{letter.category}/{letter.id} version {letter.stream_version} waits behind version "
                f"{first.stream_version} at {first.position.token}: retry or skip that one first"
            )
        self._store.write(Batch(self.build, skipped=[position]))

    def follow(self, other: Iterable[DeadLetter], read: Mapping[int, int]) -> int:
        """Settle what has been settled in another build, where these were taken over from. Returns how many.

        other: the dead letters that are left there. read: by shard, the offset up to which this build has read: what
        stands further on is left. Each stream's are settled in order, up to one that is open there too, or fails here.
        Raises CheckpointMoved where another worker settles them at the same time.
        """
        states = {letter.position: letter.state for letter in other}
        settled = 0
        for stream in dict.fromkeys((letter.category, letter.id) for letter in self.letters()):
            for letter in self._open(*stream):
                state, position = states.get(letter.position), letter.position
                if state in ("failed", "parked") or position.offset >= read.get(position.shard, 0):
                    break
                if state == "skipped":
                    self._store.write(Batch(self.build, skipped=[position]))
                else:
                    try:
                        self._handle(letter, settled)
                    except HandlerFailed:
                        break
                settled += 1
        return settled

    def _open(self, category: str, id: str) -> list[DeadLetter]:
        return _open(self._store.dead_letters(self.build.key, (category, id)))

    def _handle(self, letter: DeadLetter, handled: int) -> None:
        draft = Draft(self._listener, Parking.none(), {}, dead_letters_max=1)
        error: str | None
        try:
            draft.hear([self._heard(letter)])
            error = draft.letters[0].error if draft.letters else None
            if error is None:
                done = [letter.position]
                self._store.write(Batch(self.build, (), draft.changes(), handled=done, writers=draft.writers()))
                return
        except ChangesRefused as refused:
            error = refused.why.error
        except (RowsRefused, DomainError) as refused:
            error = str(refused)
        raise HandlerFailed(
            f"projection {self.build.name!r}: {letter.category}/{letter.id} version {letter.stream_version} at "
            f"{letter.position.token} fails again: {error}. {handled} of its stream were handled before it; repair the "
            "handler, or skip it"
        )

    def _heard(self, letter: DeadLetter) -> Heard:
        recorded = decoder(Recorded).decode(letter.recorded)
        if letter.event_type.endswith("/rejected"):
            return RecordedRejection, decoder(RecordedRejection).decode(letter.data), recorded
        if letter.event_type not in self._events:
            raise HandlerFailed(
                f"projection {self.build.name!r}: the dead letter at {letter.position.token} is a "
                f"{letter.event_type!r}, which this application does not know: deploy code that does, or skip it"
            )
        event_type, aggregate = self._events[letter.event_type]
        event = decoder(event_type).decode(letter.data)
        if event_type in aggregate.upcasters:
            return OldEvent, OldEvent(event, aggregate), recorded
        return event_type, event, recorded


def _open(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    return [letter for letter in letters if letter.state != "skipped"]
