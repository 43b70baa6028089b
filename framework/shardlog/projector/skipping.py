"""What an operator lets a stopped build skip: one event that it has not heard, noted as a skipped dead letter."""

from __future__ import annotations

from shardlog.errors import ProjectionError
from shardlog.journal.reader import FrameTaken, Reader, ReaderState
from shardlog.model.application import Application
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.journal import Journal
from shardlog.ports.projections import Batch, ProjectionStore
from shardlog.projector.core import Source
from shardlog.projector.draft import Why, dead_letter, position_of
from shardlog.projector.heard import FrameReader, Heard


def skip_ahead(
    journal: Journal,
    source: Source,
    application: Application,
    store: ProjectionStore,
    build: Build,
    position: Position,
    why: str,
) -> None:
    """Let a build that has stopped pass over one event, and nothing else; rebuilds will pass it over, too.

    why: what stopped it. The checkpoint must be where it was found when the letter is written. Raises ProjectionError
    for an event that the build has passed or skipped, and where it hears none at this position; CheckpointMoved where a
    worker goes on meanwhile; JournalError.
    """
    stored = store.stored(build.key)
    held = stored.checkpoints.get(position.shard)
    if any(place.position == position for place in stored.letters):
        raise ProjectionError(
            f"build {build.key.label} has skipped {position.token} already: let it go on, by `resume`"
        )
    if held is not None and position.offset < held.next:
        raise ProjectionError(f"build {build.key.label} has passed {position.token} already")
    for kind, event, recorded in _heard(journal, source, application, build, held, position):
        if position_of(recorded) == position:
            letter = dead_letter(kind, event, recorded, Why(why, ""), "skipped")
            stays = [] if held is None else [Move(held, held)]
            store.write(Batch(build, stays, letters=[letter]))
            return
    raise ProjectionError(
        f"projection {build.name!r} hears no event at {position.token}: take the token from what stopped it"
    )


def _heard(
    journal: Journal,
    source: Source,
    application: Application,
    build: Build,
    held: Checkpoint | None,
    position: Position,
) -> list[Heard]:
    """What the build hears of the frame at a position; nothing where no valid frame is there."""
    fresh = Reader(source.journal, position.shard, source.shards)
    reader = fresh if held is None else Reader.from_state(ReaderState(*held))
    for offset, value in journal.read(position.shard, reader.position):
        if offset > position.offset:
            break
        verdict = reader.pass_over(offset, value)
        if offset == position.offset and isinstance(verdict, FrameTaken):
            frames = FrameReader(application, [build.projection], source.journal)
            return frames.read(position.shard, offset, verdict.body)
    return []
