"""Limits of a projector that cannot be are refused, and the refusal says which, what and why."""

from __future__ import annotations

import pytest

from shardlog.errors import ConfigurationError
from shardlog.projector.worker import Limits


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("batch_frames_max", 0, "an integer, 1 or more"),
        ("batch_bytes_max", 0, "an integer, 1 or more"),
        ("write_attempts_max", 0, "an integer, 1 or more"),
        ("dead_letters_max", -1, "an integer, 0 or more"),
        ("replans_max", -1, "an integer, 0 or more"),
        ("write_deadline_s", 0.0, "a finite number above 0"),
        ("write_deadline_s", float("inf"), "a finite number above 0"),
        ("write_deadline_s", float("nan"), "a finite number above 0"),
    ],
)
def test_a_limit_out_of_its_range_is_refused_by_name_value_and_range(name: str, value: float, wanted: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Limits(**{name: value})  # type: ignore[arg-type]  # by name
    assert str(caught.value).startswith(f"projector setting {name} is {value}, and must be {wanted}")


def test_the_smallest_limits_are_taken() -> None:
    Limits(
        batch_frames_max=1,
        batch_bytes_max=1,
        dead_letters_max=0,
        write_attempts_max=1,
        write_deadline_s=0.001,
        replans_max=0,
    )
