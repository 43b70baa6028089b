"""Which of a projection's builds the code at hand keeps."""

from __future__ import annotations

from collections.abc import Sequence

from shardlog.errors import BuildRefused
from shardlog.model.handler_code import handlers_digest
from shardlog.model.projection import Projection
from shardlog.ports.builds import Build, BuildRecord
from shardlog.ports.projections import ProjectionStore, Stored


def kept(records: Sequence[BuildRecord], projection: Projection) -> BuildRecord | None:
    """The build of the code's version that serves, else the newest that served, else its newest; None for no build.

    What is built beside a build of the same version that serves, or has served, is not kept: whoever asked for it
    builds it.
    """
    own = [record for record in records if record.key.version == projection.version]
    for state in ("serving", "retired", "building"):
        of_state = [record for record in own if record.state == state]
        if of_state:
            return of_state[-1]
    return None


def unfinished(records: Sequence[BuildRecord], projection: Projection) -> BuildRecord | None:
    """The newest build of the code's version that has not served yet."""
    own = [record for record in records if record.key.version == projection.version and record.state == "building"]
    return own[-1] if own else None


def next_number(records: Sequence[BuildRecord], projection: Projection) -> int:
    """The number of the next build of the code's version."""
    return max((record.key.number for record in records if record.key.version == projection.version), default=0) + 1


def are_other_handlers(record: BuildRecord, projection: Projection) -> bool:
    """Whether the code's handlers are not those that have begun a build of its version; False where nobody can tell."""
    ours = handlers_digest(projection)
    return record.key.version == projection.version and "" not in (ours, record.handlers) and ours != record.handlers


def refuse_downgrade(records: Sequence[BuildRecord], projection: Projection) -> None:
    """Raises BuildRefused where a later version serves: the code's own is then built on demand only."""
    served = serving(records, projection.name)
    if served is not None and served.key.version > projection.version:
        raise BuildRefused(
            f"projection {projection.name!r}: build {served.key.label} serves, and this code has version "
            f"{projection.version}, of which no build is kept. Nothing is written here, and the tables stay as they "
            f"are: deploy version {served.key.version}, or, to go back for good, `shardlog rebuild {projection.name}` "
            f"with this code, which builds version {projection.version} and switches to it"
        )


def serving(records: Sequence[BuildRecord], projection: str) -> BuildRecord | None:
    """The build of a projection that the views show; None where none is begun."""
    return next((x for x in records if x.key.projection == projection and x.state == "serving"), None)


def kept_build(store: ProjectionStore, projection: Projection) -> Build:
    """The build that the code keeps. Raises BuildRefused where none is begun."""
    record = kept(store.builds.records(projection.name), projection)
    if record is None:
        raise BuildRefused(
            f"projection {projection.name!r} has no build of version {projection.version}: serve it, or rebuild it"
        )
    return Build(projection, record.key.number)


def kept_stored(store: ProjectionStore, projection: Projection) -> Stored:
    """Checkpoints and dead letters of the build that the code keeps; nothing of one that is not begun."""
    return _stored(store, kept(store.builds.records(projection.name), projection))


def served_stored(store: ProjectionStore, projection: Projection) -> Stored:
    """Checkpoints and dead letters of the build whose rows the views show; nothing of one that is not begun."""
    return _stored(store, serving(store.builds.records(projection.name), projection.name))


def _stored(store: ProjectionStore, record: BuildRecord | None) -> Stored:
    return Stored({}, (), {}) if record is None else store.stored(record.key)
