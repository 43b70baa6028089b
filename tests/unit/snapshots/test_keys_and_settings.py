"""Keys sort as snapshots follow each other; settings out of their range are refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from shardlog.errors import ConfigurationError, SnapshotFailed
from shardlog.ports.objects import check_key
from shardlog.snapshots.ids import pack_ids, unpack_ids
from shardlog.snapshots.keys import DATA, MANIFEST, SnapshotKey, parse_key
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.settings import SnapshotSettings

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
KEY = SnapshotKey(JOURNAL, 7, 1234, 5, "0123456789abcdef")


def test_a_key_is_as_the_protocol_says() -> None:
    assert KEY.stem == f"{JOURNAL}/0007/00000000000000001234-5-0123456789abcdef"
    check_key(KEY.data)
    check_key(KEY.manifest)


def test_a_key_is_read_back() -> None:
    assert parse_key(KEY.data) == (KEY, DATA)
    assert parse_key(KEY.manifest) == (KEY, MANIFEST)


@pytest.mark.parametrize("other", ["", KEY.stem, f"{KEY.stem}.tmp", f"x{KEY.data}", "readme.txt"])
def test_a_key_of_something_else_is_none(other: str) -> None:
    assert parse_key(other) is None


def test_later_offsets_and_epochs_are_newer() -> None:
    keys = [KEY, KEY._replace(epoch=12), KEY._replace(offset=99_999, epoch=1)]
    assert sorted(keys, key=lambda key: key.age) == keys


def test_ids_come_back_as_they_were() -> None:
    ids = [(b"k" * 16, (2**53 - 1) << 64 | 2**64 - 1), (b"\0" * 16, 5 << 64), (b"\xff" * 16, 7 << 64 | 3)]
    packed, lowest = pack_ids(ids)
    assert list(unpack_ids(b"".join(packed))) == ids
    assert lowest == 5
    assert pack_ids([]) == ([], None)
    with pytest.raises(ValueError, match="33 bytes are no ids"):
        list(unpack_ids(b"x" * 33))


@pytest.mark.parametrize(
    "settings", [{"every_bytes": -1}, {"every_ms": -1}, {"keep": 0}, {"share_percent": 0}, {"share_percent": 101}]
)
def test_a_setting_out_of_its_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        SnapshotSettings(**settings)


def test_work_that_is_cancelled_ends_at_its_next_rest() -> None:
    cancelled = threading.Event()
    pace = Pace(0.5, cancelled)
    cancelled.set()
    with pytest.raises(SnapshotFailed, match="given up"):
        _work_for_ever(pace)


def _work_for_ever(pace: Pace) -> None:
    while True:
        sum(range(10_000))
        pace.rest()
