"""What every journal must do: subclass JournalContract in a test module and say how to open the journal."""

from __future__ import annotations

from time import monotonic

import pytest

from shardlog.errors import Truncated
from shardlog.ports.journal import Journal
from shardlog.testing.contracts.journal_values import JournalValuesContract
from shardlog.testing.contracts.reports import REPORT_SECONDS, Reports, append

__all__ = ["DurableJournalContract", "JournalContract", "Reports", "append"]


class JournalContract(JournalValuesContract):
    """What is done with values, and beside it several writers, abandonment, truncation.

    `cannot_truncate` says in words why a log forgets nothing: what needs truncation is skipped with that reason.
    `cannot_tell_end` says in words why a log's end may be too low where another client appended: what needs it is
    skipped with that reason.
    """

    cannot_truncate = ""
    cannot_tell_end = ""

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
