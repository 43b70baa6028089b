"""What a test does that needs something this host has not: a person is told what to install, and CI fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from shardlog.testing.services.errors import ServiceMissing


def is_ci() -> bool:
    """Whether nothing may be left out."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def without(what: str) -> NoReturn:
    """Skip the test with what to install; fail it where CI is set."""
    if is_ci():
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@contextmanager
def or_skip() -> Iterator[None]:
    """Around what needs a service: where it cannot be had, `without` says so."""
    try:
        yield
    except ServiceMissing as missing:
        without(str(missing))
