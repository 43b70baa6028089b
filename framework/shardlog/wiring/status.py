"""What can be said of a journal directory from outside: shards, projections, dead letters, who serves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from shardlog.adapters.sql.relay_store import SqlRelayStore
from shardlog.adapters.sqlite.lock import holder
from shardlog.errors import JournalError
from shardlog.journal.reader import ClaimTaken, FrameTaken
from shardlog.journal.records import ClaimBody, decode_claim
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.model.rows import table_name
from shardlog.ports.projections import ProjectionStore, Stored
from shardlog.projector.choosing import kept
from shardlog.wiring.reading import OpenJournal
from shardlog.wiring.snapshots_read import manifests
from shardlog.wiring.stores import ProjectionDatabase

LETTERS_MAX = 10_000
"""So many dead letters of commands are counted."""


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What a shard's records are. invalid: by reason. stopped: what every reader stops at, empty for nothing."""

    epoch: int
    frames: int
    claims: int
    invalid: Mapping[str, int]
    owner: str
    claimed: int
    build: str
    head: str
    stopped: str = ""


class ShardStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One shard. earliest, next: offsets. records: None where they were not read."""

    shard: int
    earliest: int
    next: int
    records: Records | None


class OwnerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Who says that it owns a shard; the claim in the journal decides. epoch: of its claim."""

    shard: int
    owner: str
    epoch: int
    address: str


class SnapshotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A shard's newest snapshot. kept: how many there are. taken: microseconds since 1970 UTC.

    behind: records of the shard that are not in it.
    """

    shard: int
    kept: int
    next: int
    taken: int
    streams: int
    bytes: int
    behind: int


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One projection, as this code keeps it. build, state: of its version's tables; 0 and empty where there are none.
    standing: the state, and what hinders it, for people.
    is_paused: by hand. stopped: why nobody can go on there, empty for nothing. lag: records not read yet, by shard.
    dead_letters: by state."""

    name: str
    version: int
    build: int
    state: str
    standing: str
    is_paused: bool
    stopped: str
    tables: tuple[str, ...]
    lag: Mapping[int, int]
    dead_letters: Mapping[str, int]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A journal. directory: of its files, or of what this machine keeps of one on Kafka. place: for people.

    made: microseconds since 1970 UTC. served_by: the process id that holds the directory, None for nobody, and on
    Kafka. owners: shards that somebody says to own. command_dead_letters: open ones, None where no embedded relay has
    run here.
    """

    directory: str
    place: str
    journal: str
    name: str
    made: int
    served_by: int | None
    owners: tuple[OwnerStatus, ...]
    shards: tuple[ShardStatus, ...]
    projections: tuple[ProjectionStatus, ...]
    command_dead_letters: int | None
    snapshots: tuple[SnapshotStatus, ...]
    is_on_kafka: bool = False


def status(
    opened: OpenJournal,
    application: Application | None,
    database: ProjectionDatabase,
    *,
    reads_records: bool = True,
    passed: Callable[[int], object] = lambda shard: None,
) -> Status:
    """Look at everything once. application: whose projections are told. database: where their tables are.
    passed: called for each record read.

    Raises JournalError, StoreUnavailable and StoreFailed where something cannot be read at all.
    """
    meta = opened.meta
    return Status(
        directory=str(opened.directory),
        place=opened.place,
        journal=meta.journal,
        name=meta.name,
        made=meta.time,
        served_by=holder(opened.directory) if opened.kafka is None else None,
        owners=tuple(
            OwnerStatus(shard=shard, owner=said.owner, epoch=said.epoch, address=said.address)
            for shard, said in sorted(opened.owners.items())
            if not said.is_release
        ),
        shards=tuple(_shard(opened, shard, reads_records, passed) for shard in range(meta.shards)),
        projections=() if application is None else _projections(opened, application, database),
        command_dead_letters=_command_letters(opened),
        snapshots=tuple(_snapshots(opened)),
        is_on_kafka=opened.kafka is not None,
    )


def _shard(opened: OpenJournal, shard: int, reads_records: bool, passed: Callable[[int], object]) -> ShardStatus:
    earliest, end = opened.journal.offsets(shard)
    records = _records(opened, shard, passed) if reads_records else None
    return ShardStatus(shard=shard, earliest=earliest, next=end, records=records)


def _records(opened: OpenJournal, shard: int, passed: Callable[[int], object]) -> Records:
    reader = opened.reader(shard)
    kinds: Counter[type] = Counter()
    claim: ClaimBody | None = None
    stopped = ""
    try:
        for offset, value in opened.journal.read(shard, reader.position):
            verdict = reader.pass_over(offset, value)
            kinds[type(verdict)] += 1
            if isinstance(verdict, ClaimTaken):
                claim = decode_claim(verdict.body)
            passed(shard)
    except JournalError as error:
        stopped = str(error)
    return Records(
        epoch=reader.epoch,
        frames=kinds[FrameTaken],
        claims=kinds[ClaimTaken],
        invalid={reason: number for reason, number in reader.invalid.items() if number},
        owner="" if claim is None else f"{claim.owner} {claim.address}".strip(),
        claimed=0 if claim is None else claim.time,
        build="" if claim is None else claim.build,
        head=reader.head,
        stopped=stopped,
    )


def _projections(
    opened: OpenJournal, application: Application, database: ProjectionDatabase
) -> tuple[ProjectionStatus, ...]:
    if not database.exists:
        return ()
    store = database.open_store()
    try:
        return tuple(_projection(opened, store, projection) for projection in application.projections.values())
    finally:
        store.close()


def _projection(opened: OpenJournal, store: ProjectionStore, projection: Projection) -> ProjectionStatus:
    record = kept(store.builds.records(projection.name), projection)
    stored = Stored({}, (), {}) if record is None else store.stored(record.key)
    lag = {
        shard: opened.journal.offsets(shard)[1] - (stored.checkpoints[shard].next if shard in stored.checkpoints else 0)
        for shard in range(opened.meta.shards)
    }
    return ProjectionStatus(
        name=projection.name,
        version=projection.version,
        build=0 if record is None else record.key.number,
        state="" if record is None else record.state,
        standing="" if record is None else record.standing,
        is_paused=record is not None and record.is_paused,
        stopped="" if record is None else record.stopped,
        tables=tuple(table_name(row) for row in projection.rows),
        lag=lag,
        dead_letters=Counter(letter.state for letter in stored.letters),
    )


def _command_letters(opened: OpenJournal) -> int | None:
    path: Path = opened.directory / "relay.sqlite"
    if not path.exists():
        return None
    store = SqlRelayStore(path)
    try:
        letters = store.dead_letters(opened.meta.journal, LETTERS_MAX)
        return sum(letter.state == "open" for letter in letters)
    finally:
        store.close()


def _snapshots(opened: OpenJournal) -> Iterator[SnapshotStatus]:
    for shard, found in manifests(opened.directory, opened.meta.journal, opened.meta.shards).items():
        for newest in found[:1]:
            yield SnapshotStatus(
                shard=shard,
                kept=len(found),
                next=newest.about.next,
                taken=newest.about.taken,
                streams=newest.streams,
                bytes=newest.bytes,
                behind=opened.journal.offsets(shard)[1] - newest.about.next,
            )
