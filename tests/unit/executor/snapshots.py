"""What a shard's snapshots need in tests: objects in memory that may be damaged, and work that waits to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from shardlog import Application
from shardlog.errors import ObjectExists, ObjectMissing, ObjectStoreFailed, SnapshotFailed
from shardlog.executor.background import Background
from shardlog.executor.core import ExecutorCore
from shardlog.executor.mode import Mode
from shardlog.executor.snapshotting import Snapshotting
from shardlog.journal.writer import JournalWriter
from shardlog.ports.objects import ObjectStore, StoredObject, check_key
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.snapshots.store import ShardSnapshots
from tests.unit.executor.ledger import Deposit, Pay, Transfer, ledger
from tests.unit.executor.served import JOURNAL, HandInput, HandWorld, Served, origin, value

NEVER = SnapshotSettings(every_bytes=0, every_ms=0, share_percent=100)
PIECE_BYTES = 1000


class MemoryObjects(ObjectStore):
    """Values in memory. fails: every call raises. full_after: a put raises once it has so many bytes."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.fails = False
        self.full_after: int | None = None

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        check_key(key)
        self._check()
        if key in self.values:
            raise ObjectExists(f"object {key} exists")
        value = bytearray()
        for chunk in chunks:
            value += chunk
            if self.full_after is not None and len(value) > self.full_after:
                raise ObjectStoreFailed("no space left on the device")
        self.values[key] = bytes(value)

    def get(self, key: str) -> Iterator[bytes]:
        check_key(key)
        self._check()
        if key not in self.values:
            raise ObjectMissing(f"object {key} is gone")
        value = self.values[key]
        for start in range(0, len(value), PIECE_BYTES):
            if key not in self.values:
                raise ObjectMissing(f"object {key} is gone")
            yield value[start : start + PIECE_BYTES]

    def list(self, prefix: str) -> list[StoredObject]:
        self._check()
        return sorted(StoredObject(key, len(value)) for key, value in self.values.items() if key.startswith(prefix))

    def delete(self, key: str) -> None:
        check_key(key)
        self._check()
        self.values.pop(key, None)

    def close(self) -> None:
        """Nothing to free."""

    def _check(self) -> None:
        if self.fails:
            raise ObjectStoreFailed("permission denied")


class HandBackground(Background):
    """Work that is done when a test says so, or in pieces."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []
        self.is_taken = False

    def take(self) -> bool:
        if self.is_taken:
            return False
        self.is_taken = True
        return True

    def give_back(self) -> None:
        self.is_taken = False

    def run(self, work: Callable[[], None]) -> None:
        assert self.is_taken
        self.work.append(work)

    def do(self) -> None:
        """Do what waits to be done."""
        work, self.work = self.work, []
        for each in work:
            each()
            self.is_taken = False


class Kept:
    """The snapshots of one shard: their objects, their background, and what `Served` takes."""

    def __init__(
        self,
        objects: ObjectStore | None = None,
        settings: SnapshotSettings = NEVER,
        application: Application = ledger,
    ) -> None:
        self.objects = MemoryObjects() if objects is None else objects
        self.background = HandBackground()
        self.settings = settings
        self.application = application

    def __call__(self, core: ExecutorCore, writer: JournalWriter, world: HandWorld) -> Snapshotting:
        snapshots = self.snapshots(core.shard.number)
        return Snapshotting(core, writer, snapshots, self.settings, self.background, world, "code")

    def snapshots(self, number: int = 0) -> ShardSnapshots:
        """The store of a shard, as another process sees it."""
        initial: dict[str, Any] = {name: a.initial for name, a in self.application.aggregates.items()}
        return ShardSnapshots(self.objects, JOURNAL, number, initial, self.settings.keep)

    def again(self, **changes: Any) -> Kept:
        """For another process: the same objects."""
        return Kept(**{"objects": self.objects, "settings": self.settings, "application": self.application, **changes})

    @property
    def stored(self) -> dict[str, bytes]:
        assert isinstance(self.objects, MemoryObjects)
        return self.objects.values


def made(served: Served, kept: Kept) -> SnapshotKey:
    """A snapshot of what is acknowledged once all is settled."""
    asked = served.shard.snapshot()
    served.settle()
    kept.background.do()
    served.step()
    return asked.result(0)


def loaded(served: Served, kept: Kept, **changes: Any) -> Served:
    """Another process that has recovered, and not served yet."""
    fresh = served.restarted(snapshots=kept.again(), **changes)
    fresh.step()
    assert fresh.shard.mode is Mode.CLAIMING, fresh.shard.error
    return fresh


def start_of(served: Served) -> SnapshotKey | None:
    """The snapshot that a shard's recovery began with."""
    assert served.shard._snapshots is not None
    return served.shard._snapshots._newest


def busy(kept: Kept) -> Served:
    """A shard to which a bit of everything happened."""
    feeder, topic = HandInput("feeder:f:1"), HandInput("kafka:t:1")
    served = Served(inputs=[feeder, topic], snapshots=kept).serve()
    for n in range(20):
        served.submit(f"c:{n}", Deposit(amount=n + 1))
        feeder.put(value("a:1", Deposit(amount=5)))
        topic.put(value("b:1", Deposit(amount=7), command_id=f"t-{n}"))
    served.settle()
    topic.put(value("b:1", Deposit(amount=1), command_id="s", origin=origin((1, 1, 0), None, shard=0)))
    served.send("a:1", Pay(to="b:1", amount=3, payment="p"))
    served.send("a:1", Transfer(to="a:2", amount=4, audited=True))
    return served


def failed(served: Served, kept: Kept) -> BaseException:
    """Why no snapshot was made."""
    asked = served.shard.snapshot()
    served.settle()
    kept.background.do()
    served.step()
    error = asked.exception(0)
    assert isinstance(error, SnapshotFailed)
    return error
