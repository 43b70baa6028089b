"""The journal's protocol over SQLite shards: takeover, frames at their limit, a flipped bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import shard_path
from shardlog.errors import Corrupt
from shardlog.journal.effects import Acknowledged, Effect, Fenced, Owner, Replay
from shardlog.journal.reader import Reader
from shardlog.journal.records import encode_frame
from shardlog.journal.writer import JournalWriter
from shardlog.testing.contracts.journal import append
from tests.contract.journal_sqlite_faults.strangers import change

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
FRAME_BYTES_MAX = 900_000


class Shard:
    """A journal's writer over a SQLite shard, driven by hand."""

    def __init__(self, journal: SqliteJournal, number: int) -> None:
        self.journal = journal
        self.writer = JournalWriter(Reader(JOURNAL, 0, 2))
        self.port = journal.writer(0)
        self.nonce = f"{number:032x}"

    def read(self) -> list[Effect]:
        position = self.writer.reader.position
        effects: list[Effect] = []
        for offset, value in self.journal.read(0, position):
            effects.append(self.writer.read(offset, value))
            if isinstance(effects[-1], Fenced):
                break
        return effects

    def take_over(self) -> list[Effect]:
        self.read()
        append(self.port, self.writer.claim(self.nonce, "owner", "", 0, 1, ""))
        return self.read()

    def write(self, body: bytes) -> Effect:
        frame = self.writer.frame(body)
        (offset,) = append(self.port, frame.value)
        return self.writer.reported(frame, offset)


def test_a_shard_is_taken_over_and_the_former_owner_is_fenced(journal: SqliteJournal) -> None:
    first, second = Shard(journal, 1), Shard(journal, 2)
    assert first.take_over() == [Owner(1)]
    body = encode_frame(1, {}, [])
    assert isinstance(first.write(body), Acknowledged)
    assert second.take_over() == [Owner(2)]
    late = first.writer.frame(body)
    append(first.port, late.value)
    assert first.read() == [Fenced(2)]
    third = Shard(journal, 3)
    third.take_over()
    assert third.writer.reader.epoch == 3
    assert third.writer.reader.invalid["epoch"] == 1


def test_a_frame_at_the_size_limit_is_written_and_replayed(journal: SqliteJournal) -> None:
    shard = Shard(journal, 1)
    shard.take_over()
    empty = encode_frame(1, {}, [b'["x","feeder:a:b",0,"undecodable",""]'])
    room = FRAME_BYTES_MAX - len(shard.writer.frame(empty).value)
    shard.writer.fail("only to measure")
    shard.writer.abandoned()
    shard.nonce = f"{9:032x}"
    shard.take_over()
    body = encode_frame(1, {}, [b'["x","feeder:a:b",0,"undecodable","%b"]' % (b"m" * room)])
    assert isinstance(shard.write(body), Acknowledged)
    other = Shard(journal, 2)
    (replay,) = [effect for effect in other.read() if isinstance(effect, Replay)]
    assert bytes(replay.body) == body


def test_a_flipped_bit_is_never_replayed(journal: SqliteJournal, tmp_path: Path) -> None:
    shard = Shard(journal, 1)
    shard.take_over()
    shard.write(encode_frame(1, {}, []))
    change(shard_path(tmp_path, 0), "UPDATE record SET value = replace(value, '[1,', '[2,') WHERE offset = 1")
    other = Shard(journal, 2)
    with pytest.raises(Corrupt) as caught:
        other.read()
    assert (caught.value.shard, caught.value.offset) == (0, 1)
    assert other.writer.reader.seq == 0
