"""Reports of appends, collected from any thread and waited for with a deadline."""

from __future__ import annotations

import threading
from functools import partial

from shardlog.ports.journal import Report, Writer

REPORT_SECONDS = 30.0


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
