"""What every journal does with the values that it is given: order, wholeness, offsets, reading them again."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise

import pytest

from shardlog.ports.journal import Journal
from shardlog.testing.contracts.reports import REPORT_SECONDS, Reports, append

BIG_BYTES = 16 * 1024 * 1024


class JournalValuesContract:
    """Order, whole values, offsets, reading from any of them.

    Offsets grow by one where `offsets_are_dense`; a log that keeps records of its own between values sets it False.
    """

    offsets_are_dense = True
    big_bytes = BIG_BYTES

    @abstractmethod
    def open(self, shards: int) -> Journal:
        """An empty journal of so many shards, the same place at every call of one test."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        journal = self.open(3)
        yield journal
        journal.close()

    def read(self, journal: Journal, shard: int, start: int) -> list[tuple[int, bytes]]:
        """All that is known now."""
        return list(journal.read(shard, start))

    def test_an_empty_shard_has_nothing_to_read(self, journal: Journal) -> None:
        assert self.read(journal, 0, 0) == []
        earliest, next = journal.offsets(0)
        assert earliest == next

    def test_values_are_read_in_the_order_of_appending_with_the_offsets_reported(self, journal: Journal) -> None:
        values = [b"value %d" % number for number in range(1_000)]
        offsets = append(journal.writer(0), *values)
        assert self.read(journal, 0, 0) == list(zip(offsets, values, strict=True))

    def test_offsets_grow(self, journal: Journal) -> None:
        offsets = append(journal.writer(0), b"a", b"b", b"c")
        assert all(earlier < later for earlier, later in pairwise(offsets))
        if self.offsets_are_dense:
            assert offsets == [0, 1, 2]

    def test_reports_come_in_the_order_of_appending(self, journal: Journal) -> None:
        reports = Reports()
        reports.append(journal.writer(0), *[b"x"] * 500)
        reports.wait(500)
        assert reports.order() == list(range(500))

    def test_every_append_is_reported_once(self, journal: Journal) -> None:
        reports = Reports()
        writer = journal.writer(0)
        reports.append(writer, *[b"x"] * 100)
        reports.wait(100)
        writer.abandon(10_000)
        assert len(reports.order()) == 100

    def test_a_reported_value_is_read_at_once(self, journal: Journal) -> None:
        writer = journal.writer(0)
        for number in range(20):
            value = b"%d" % number
            (offset,) = append(writer, value)
            assert self.read(journal, 0, offset) == [(offset, value)]

    def test_reading_begins_at_any_offset(self, journal: Journal) -> None:
        values = [b"%d" % number for number in range(700)]
        offsets = append(journal.writer(0), *values)
        for place in (0, 1, 255, 256, 257, 699):
            assert self.read(journal, 0, offsets[place]) == list(zip(offsets[place:], values[place:], strict=True))

    def test_reading_beyond_the_end_gives_nothing(self, journal: Journal) -> None:
        append(journal.writer(0), b"a")
        _, next = journal.offsets(0)
        assert self.read(journal, 0, next) == []
        assert self.read(journal, 0, next + 100) == []

    @pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), "é☃".encode(), b'["json",1]', b"\r\n"])
    def test_a_value_is_any_bytes(self, journal: Journal, value: bytes) -> None:
        (offset,) = append(journal.writer(0), value)
        ((_, read),) = self.read(journal, 0, offset)
        assert type(read) is bytes
        assert read == value

    def test_a_big_value_is_whole(self, journal: Journal) -> None:
        value = bytes(range(256)) * (self.big_bytes // 256)
        offsets = append(journal.writer(0), b"before", value, b"after")
        assert self.read(journal, 0, 0) == list(zip(offsets, [b"before", value, b"after"], strict=True))

    def test_two_readings_of_one_shard_do_not_disturb_each_other(self, journal: Journal) -> None:
        values = [b"%d" % number for number in range(50)]
        offsets = append(journal.writer(0), *values)
        expected = list(zip(offsets, values, strict=True))
        one, two = iter(journal.read(0, 0)), iter(journal.read(0, offsets[10]))
        seen_one, seen_two = [next(one), next(one)], [next(two)]
        seen_one += one
        seen_two += two
        assert seen_one == expected
        assert seen_two == expected[10:]

    def test_a_reading_that_is_left_is_gone_on_with_from_any_offset(self, journal: Journal) -> None:
        values = [b"%d" % number for number in range(50)]
        offsets = append(journal.writer(0), *values)
        expected = list(zip(offsets, values, strict=True))
        for place in (0, 1, 7, 3, 3, 49):
            reading = iter(journal.read(0, offsets[place]))
            assert next(reading) == expected[place]
            del reading
        assert self.read(journal, 0, offsets[1]) == expected[1:]

    def test_shards_know_nothing_of_each_other(self, journal: Journal) -> None:
        append(journal.writer(0), b"zero")
        append(journal.writer(2), b"two", b"two again")
        assert [value for _, value in self.read(journal, 0, 0)] == [b"zero"]
        assert self.read(journal, 1, 0) == []
        assert [value for _, value in self.read(journal, 2, 0)] == [b"two", b"two again"]

    def test_a_reading_under_way_ends_where_the_end_was_known(self, journal: Journal) -> None:
        writer = journal.writer(0)
        append(writer, b"a", b"b")
        reading = iter(journal.read(0, 0))
        first = next(reading)
        append(writer, b"c")
        values = [first[1], *(value for _, value in reading)]
        assert values[:2] == [b"a", b"b"]  # c may be seen or not
        assert values[2:] in ([], [b"c"])

    def test_reading_goes_on_while_others_write(self, journal: Journal) -> None:
        values = [b"%06d" % number for number in range(3_000)]
        reports = Reports()
        writing = threading.Thread(target=lambda: reports.append(journal.writer(0), *values))
        writing.start()
        seen: list[bytes] = []
        position = 0
        deadline = threading.Event()
        timer = threading.Timer(REPORT_SECONDS, deadline.set)
        timer.start()
        while len(seen) < len(values) and not deadline.is_set():
            for offset, value in journal.read(0, position):
                seen.append(value)
                position = offset + 1
        timer.cancel()
        writing.join()
        reports.wait(len(values))
        assert seen == values
