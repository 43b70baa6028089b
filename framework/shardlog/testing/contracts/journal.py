"""What every journal must do: subclass JournalContract in a test module and say how to open the journal."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from time import monotonic

import pytest

from shardlog.errors import Truncated
from shardlog.ports.journal import Journal, Report, Writer

REPORT_SECONDS = 30.0
BIG_BYTES = 16 * 1024 * 1024


class Reports:
    """Collects reports, from any thread, and waits for them with a deadline."""

    def __init__(self) -> None:
        self._appended = 0
        self._reports: list[tuple[int, Report]] = []
        self._condition = threading.Condition()

    def append(self, writer: Writer, *values: bytes) -> None:
        """Append the values; a report is kept with the place of its value among all that were appended through
        this."""
        for value in values:
            with self._condition:
                number = self._appended
                self._appended += 1
            writer.append(value, partial(self._reported, number))

    def wait(self, count: int) -> list[Report]:
        """The reports in the order in which their values were appended, once there are so many."""
        with self._condition:
            came = self._condition.wait_for(lambda: len(self._reports) >= count, REPORT_SECONDS)
            assert came, f"{len(self._reports)} of {count} reports came within {REPORT_SECONDS} s"
            return [report for _, report in sorted(self._reports, key=lambda r: r[0])]

    def order(self) -> list[int]:
        """The places of values in the order in which their reports came."""
        with self._condition:
            return [number for number, _ in self._reports]

    def _reported(self, number: int, report: Report) -> None:
        with self._condition:
            self._reports.append((number, report))
            self._condition.notify_all()


def append(writer: Writer, *values: bytes) -> list[int]:
    """Append the values and wait for their offsets."""
    reports = Reports()
    reports.append(writer, *values)
    offsets: list[int] = []
    for report in reports.wait(len(values)):
        assert isinstance(report, int), f"an append was reported as {report!r}"
        offsets.append(report)
    return offsets


class JournalContract:
    """Order, whole values, offsets, truncation, several writers, abandonment.

    Offsets grow by one where `offsets_are_dense`; a log that keeps records of its own between values sets it False.
    `cannot_truncate` says in words why a log forgets nothing: what needs truncation is skipped with that reason.
    `cannot_tell_end` says in words why a log's end may be too low where another client appended: what needs it is
    skipped with that reason.
    """

    offsets_are_dense = True
    cannot_truncate = ""
    cannot_tell_end = ""
    big_bytes = BIG_BYTES

    @abstractmethod
    def open(self, shards: int) -> Journal:
        """An empty journal of so many shards, the same place at every call of one test."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        journal = self.open(3)
        yield journal
        journal.close()

    def truncate(self, journal: Journal, shard: int, before: int) -> None:
        """Truncate, where the log can."""
        if self.cannot_truncate:
            pytest.skip(self.cannot_truncate)
        journal.truncate(shard, before)

    def read_by_another(self, journal: Journal, shard: int) -> list[tuple[int, bytes]]:
        """All of a shard as a journal reads it that did not append it, where the log can tell."""
        if self.cannot_tell_end:
            pytest.skip(self.cannot_tell_end)
        return list(journal.read(shard, 0))

    def read(self, journal: Journal, shard: int, start: int) -> list[tuple[int, bytes]]:
        """All that is known now."""
        return list(journal.read(shard, start))

    # -- appending and reading -----------------------------------------------------------------------------------------
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

    # -- writers -------------------------------------------------------------------------------------------------------
    def test_two_writers_share_a_shard_and_each_keeps_its_order(self, journal: Journal) -> None:
        reports = Reports()
        one, two = journal.writer(0), journal.writer(0)
        for number in range(200):
            reports.append(one, b"one %03d" % number)
            reports.append(two, b"two %03d" % number)
        offsets = reports.wait(400)
        assert len(set(offsets)) == 400
        values = [value for _, value in self.read(journal, 0, 0)]
        for name in (b"one", b"two"):
            own = [value for value in values if value.startswith(name)]
            assert own == sorted(own)
            assert len(own) == 200

    def test_a_writer_goes_on_where_another_was_abandoned(self, journal: Journal) -> None:
        first = journal.writer(0)
        append(first, b"a")
        first.abandon(10_000)
        append(journal.writer(0), b"b")
        assert [value for _, value in self.read(journal, 0, 0)] == [b"a", b"b"]

    def test_an_abandoned_writer_reports_an_error_for_what_it_is_given(self, journal: Journal) -> None:
        writer = journal.writer(0)
        append(writer, b"a")
        writer.abandon(10_000)
        reports = Reports()
        reports.append(writer, b"b")
        (report,) = reports.wait(1)
        assert isinstance(report, Exception)
        assert [value for _, value in self.read(journal, 0, 0)] == [b"a"]

    def test_abandoning_reports_every_append_once(self, journal: Journal) -> None:
        reports = Reports()
        writer = journal.writer(0)
        reports.append(writer, *[b"x" * 1_000] * 300)
        writer.abandon(10_000)
        offsets = [report for report in reports.wait(300) if not isinstance(report, Exception)]
        assert len(reports.order()) == 300
        assert [offset for offset, _ in self.read(journal, 0, 0)][: len(offsets)] == offsets

    def test_abandoning_twice_is_no_error(self, journal: Journal) -> None:
        writer = journal.writer(0)
        writer.abandon(10_000)
        writer.abandon(10_000)

    def test_another_writer_is_not_touched_by_an_abandoned_one(self, journal: Journal) -> None:
        one, two = journal.writer(0), journal.writer(0)
        one.abandon(10_000)
        append(two, b"a")
        assert [value for _, value in self.read(journal, 0, 0)] == [b"a"]

    # -- truncation ----------------------------------------------------------------------------------------------------
    def test_truncating_forgets_what_stands_below(self, journal: Journal) -> None:
        offsets = append(journal.writer(0), b"a", b"b", b"c", b"d")
        self.truncate(journal, 0, offsets[2])
        assert self.read(journal, 0, offsets[2]) == [(offsets[2], b"c"), (offsets[3], b"d")]
        assert journal.offsets(0) == (offsets[2], offsets[3] + 1)

    def test_reading_below_the_earliest_offset_is_truncated(self, journal: Journal) -> None:
        offsets = append(journal.writer(0), b"a", b"b", b"c")
        self.truncate(journal, 0, offsets[2])
        with pytest.raises(Truncated) as caught:
            self.read(journal, 0, offsets[1])
        assert (caught.value.shard, caught.value.start, caught.value.earliest) == (0, offsets[1], offsets[2])

    def test_offsets_go_on_after_everything_was_truncated(self, journal: Journal) -> None:
        offsets = append(journal.writer(0), b"a", b"b")
        self.truncate(journal, 0, offsets[-1] + 1)
        earliest, next = journal.offsets(0)
        assert earliest == next == offsets[-1] + 1
        (offset,) = append(journal.writer(0), b"c")
        assert offset >= next
        assert self.read(journal, 0, next) == [(offset, b"c")]

    def test_truncating_again_below_or_beyond_the_end_loses_no_offset(self, journal: Journal) -> None:
        offsets = append(journal.writer(0), b"a", b"b")
        self.truncate(journal, 0, offsets[1])
        self.truncate(journal, 0, offsets[0])
        assert journal.offsets(0)[0] == offsets[1]
        self.truncate(journal, 0, offsets[1] + 1_000)
        assert journal.offsets(0) == (offsets[1] + 1, offsets[1] + 1)

    def test_truncating_one_shard_leaves_the_others(self, journal: Journal) -> None:
        offsets = append(journal.writer(0), b"a")
        others = append(journal.writer(1), b"b")
        self.truncate(journal, 0, offsets[0] + 1)
        assert self.read(journal, 1, 0) == [(others[0], b"b")]

    def test_closing_twice_is_no_error(self, journal: Journal) -> None:
        append(journal.writer(0), b"a")
        journal.close()
        journal.close()


class DurableJournalContract(JournalContract):
    """For a journal whose values outlive the object: `open` gives the same place again."""

    def test_what_was_reported_is_there_after_opening_again(self) -> None:
        journal = self.open(3)
        offsets = append(journal.writer(1), b"a", b"b")
        journal.close()
        again = self.open(3)
        try:
            assert self.read_by_another(again, 1) == list(zip(offsets, [b"a", b"b"], strict=True))
        finally:
            again.close()

    def test_what_was_truncated_is_gone_after_opening_again(self) -> None:
        journal = self.open(3)
        try:
            offsets = append(journal.writer(1), b"a", b"b")
            self.truncate(journal, 1, offsets[1])
        finally:
            journal.close()
        again = self.open(3)
        try:
            assert list(again.read(1, offsets[1])) == [(offsets[1], b"b")]
            assert again.offsets(1) == (offsets[1], offsets[1] + 1)
        finally:
            again.close()

    def test_a_reader_at_the_end_sees_what_another_journal_appends(self) -> None:
        one, two = self.open(3), self.open(3)
        try:
            position = 0
            for number in range(5):
                value = b"%d" % number
                (offset,) = append(one.writer(0), value)
                position = self._read_on(two, position, offset, value)
        finally:
            one.close()
            two.close()

    def _read_on(self, journal: Journal, position: int, offset: int, value: bytes) -> int:
        """Read until the value comes by; nobody else writes. What another process wrote may come a little later."""
        give_up = monotonic() + REPORT_SECONDS
        while True:
            read = list(journal.read(0, position))
            if read:
                assert read == [(offset, value)]
                assert journal.offsets(0)[1] > offset
                assert list(journal.read(0, offset + 1)) == []
                return offset + 1
            assert monotonic() < give_up, f"{value!r} did not come by within {REPORT_SECONDS} s"

    def test_two_journals_over_one_place_see_each_other(self) -> None:
        one, two = self.open(3), self.open(3)
        try:
            first = append(one.writer(0), b"a")
            second = append(two.writer(0), b"b")
            expected = [(first[0], b"a"), (second[0], b"b")]
            assert self.read_by_another(one, 0) == self.read_by_another(two, 0) == expected
        finally:
            one.close()
            two.close()
