"""A store that fails, or does not give back what was written, costs the snapshot and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import pytest

from shardlog import replace
from shardlog.errors import ObjectStoreFailed, SnapshotFailed
from shardlog.snapshots.settings import SnapshotSettings
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.scales import Weigh, scales
from tests.unit.executor.served import Served, everything
from tests.unit.executor.snapshots import NEVER, Kept, MemoryObjects, busy, failed, loaded, made, start_of


# -- a store that does not do it ---------------------------------------------------------------------------------------
def test_a_full_store_fails_the_snapshot_and_nothing_else(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    served = busy(kept)
    assert isinstance(kept.objects, MemoryObjects)
    kept.objects.full_after = 100
    asked = served.shard.snapshot()
    served.step()
    kept.background.do()
    with pytest.raises(SnapshotFailed, match="no space left"):
        asked.result(0)
    assert "no snapshot at" in caplog.text and "no space left" in caplog.text
    kept.objects.full_after = None
    served.send("a:1", Deposit(amount=1))
    assert made(served, kept).manifest in kept.stored


def test_after_a_failure_the_next_one_waits_for_the_retry() -> None:
    kept = Kept(settings=SnapshotSettings(every_bytes=1, every_ms=0, retry_ms=1_000))
    served = Served(snapshots=kept).serve()
    assert isinstance(kept.objects, MemoryObjects)
    kept.objects.fails = True
    served.send("a:1", Deposit(amount=1))
    served.step()
    kept.background.do()
    served.send("a:1", Deposit(amount=1))
    served.step()
    assert kept.background.work == []
    kept.objects.fails = False
    served.world.wait(1_000)
    served.step()
    kept.background.do()
    assert len(kept.snapshots().newest_first()) == 1


def test_a_store_that_does_not_answer_at_recovery_leaves_the_replay(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    served = busy(kept)
    made(served, kept)
    assert isinstance(kept.objects, MemoryObjects)
    kept.objects.fails = True
    fresh = loaded(served, kept)
    assert start_of(fresh) is None
    assert everything(fresh.core.state) == everything(served.core.state)
    assert "permission denied" in caplog.text


def test_a_state_without_a_json_form_fails_the_snapshot_and_nothing_else(kept: Kept) -> None:
    served = busy(kept)
    category = served.core.state.registry.categories["account"]
    slot = category.slot("a:1")
    assert slot is not None
    broken = msgspec.structs.replace(slot, state=replace(slot.state, balance=object()))
    category.put_back("a:1", broken)
    asked = served.shard.snapshot()
    served.step()
    kept.background.do()
    with pytest.raises(SnapshotFailed, match="object has no JSON form"):
        asked.result(0)
    category.put_back("a:1", slot)
    assert served.send("c:1", Deposit(amount=1)).events


# -- what was written is read back -------------------------------------------------------------------------------------
def test_one_that_cannot_be_loaded_is_deleted_again_and_pushes_out_none_that_can() -> None:
    kept = Kept(application=scales(), settings=msgspec.structs.replace(NEVER, keep=1))
    served = Served(application=kept.application, snapshots=kept).serve()
    served.send("a:1", Weigh(grams=1500))
    good = made(served, kept)
    served.send("a:1", Weigh(grams=3000))
    for _ in range(2):
        assert "a state is not what its JSON gives back" in str(failed(served, kept))
        assert sorted(kept.stored) == [good.data, good.manifest]
    served.send("a:1", Weigh(grams=4500))
    newest = made(served, kept)
    assert sorted(kept.stored) == [newest.data, newest.manifest]


class Refusing(MemoryObjects):
    """refuses: puts, gets and deletes of keys that end so raise. keeps: a put keeps the value all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: dict[str, str] = {}
        self.keeps = False

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        if self.keeps or not self._is_refused("put", key):
            super().put(key, chunks)
        self._refuse("put", key)

    def get(self, key: str) -> Iterator[bytes]:
        self._refuse("get", key)
        return super().get(key)

    def delete(self, key: str) -> None:
        self._refuse("delete", key)
        super().delete(key)

    def _is_refused(self, what: str, key: str) -> bool:
        return key.endswith(self.refuses.get(what, "nothing"))

    def _refuse(self, what: str, key: str) -> None:
        if self._is_refused(what, key):
            raise ObjectStoreFailed(f"no {what} of {key}")


@pytest.fixture
def refusing() -> Refusing:
    return Refusing()


@pytest.mark.parametrize("keeps", [False, True], ids=["refused", "kept without an answer"])
def test_an_idle_shard_makes_the_snapshot_whose_manifest_was_refused(refusing: Refusing, keeps: bool) -> None:
    kept = Kept(refusing)
    served = busy(kept)
    refusing.refuses, refusing.keeps = {"put": ".manifest"}, keeps
    assert "no put of" in str(failed(served, kept))
    assert kept.stored == {}
    refusing.refuses = {}
    key = made(served, kept)
    assert sorted(kept.stored) == [key.data, key.manifest]


def test_half_a_snapshot_that_could_not_be_deleted_goes_before_the_next_try(
    refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(refusing)
    served = busy(kept)
    refusing.refuses = {"put": ".manifest", "delete": ".data"}
    assert "no put of" in str(failed(served, kept))
    assert "is left behind: no delete of" in caplog.text
    assert [name.rpartition(".")[2] for name in kept.stored] == ["data"]
    refusing.refuses = {}
    assert start_of(served) is None
    key = made(served, kept)
    assert start_of(loaded(served, kept)) == key


def test_one_that_could_not_be_read_back_is_read_at_the_next_try_and_not_written_again(refusing: Refusing) -> None:
    kept = Kept(refusing)
    served = busy(kept)
    refusing.refuses = {"get": ".data"}
    assert "no get of" in str(failed(served, kept))
    stood = dict(kept.stored)
    assert len(stood) == 2
    refusing.refuses = {"put": ".data"}
    key = made(served, kept)
    assert kept.stored == stood and key.manifest in stood
