"""Rebuilding a projection in the process that keeps it: its thread builds on between batches, and the asker waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from time import sleep
from typing import TypeAlias

from shardlog.projector.runner import Projector

Paused: TypeAlias = Callable[[], AbstractContextManager[Projector]]
"""The projector between two turns of its thread; raises where that thread has ended."""
WAIT_SECONDS = 0.02


def rebuild_beside(paused: Paused, projection: str) -> None:
    """Build a projection's tables anew while what serves goes on, and return when the views show them.

    Raises KeyError, what stops the new build, and what keeps the views from switching; then the old tables serve on.
    """
    with paused() as projector:
        projector.begin_rebuild(projection)
    while True:
        with paused() as projector:
            rebuilding = projector.rebuilding
        if projection not in rebuilding:
            return
        error = rebuilding[projection]
        if error is not None:
            raise error
        sleep(WAIT_SECONDS)
