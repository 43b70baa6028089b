"""What every store of control records must do: subclass ControlContract and say how to open it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import pytest

from shardlog.ports.control import Control


class ControlContract:
    """The newest value of each key, known to all at once, kept."""

    @abstractmethod
    def open(self) -> Control:
        """The same place at every call of one test, empty at first."""

    @pytest.fixture
    def control(self) -> Iterator[Control]:
        control = self.open()
        yield control
        control.close()

    def test_at_first_there_is_nothing(self, control: Control) -> None:
        assert dict(control.read()) == {}

    def test_the_newest_value_of_each_key_is_read(self, control: Control) -> None:
        control.write("meta", b"1")
        control.write("owner/0", b"a")
        control.write("owner/0", b"b")
        assert dict(control.read()) == {"meta": b"1", "owner/0": b"b"}
        control.write("meta", b"2")
        assert dict(control.read()) == {"meta": b"2", "owner/0": b"b"}

    @pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), "é☃".encode()])
    def test_a_value_is_any_bytes(self, control: Control, value: bytes) -> None:
        control.write("assignment/17", value)
        assert dict(control.read()) == {"assignment/17": value}

    def test_what_one_has_written_another_reads_at_once(self, control: Control) -> None:
        other = self.open()
        try:
            assert dict(other.read()) == {}
            for number in range(5):
                control.write("owner/1", b"%d" % number)
                assert other.read()["owner/1"] == b"%d" % number
        finally:
            other.close()

    def test_what_was_read_does_not_change(self, control: Control) -> None:
        control.write("meta", b"1")
        read = control.read()
        control.write("meta", b"2")
        assert read["meta"] == b"1"

    def test_values_outlive_the_object(self, control: Control) -> None:
        control.write("meta", b"1")
        control.close()
        again = self.open()
        try:
            assert dict(again.read()) == {"meta": b"1"}
        finally:
            again.close()

    def test_closing_twice_is_no_error(self, control: Control) -> None:
        control.close()
        control.close()
