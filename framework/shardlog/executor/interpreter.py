"""What a process that serves shards asks of its Python interpreter."""

from __future__ import annotations

import gc
import sys

COLLECTION_THRESHOLDS = (50_000, 20, 1_000)
"""States, slots and messages are outside garbage collection, so little is left to look through."""
SWITCH_SECONDS = 0.0005
"""How long a thread that wants the interpreter waits for one that computes. The writer's thread needs it a few times
a transaction; with the default of 5 ms it waits longer for it than for the disk."""


def tune_for_serving() -> None:
    """For the whole process, once its shards have recovered: what is there now stays, and threads take turns
    sooner."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
