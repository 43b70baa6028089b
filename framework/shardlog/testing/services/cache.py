"""The folder where fetched programs are kept between runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "SHARDLOG_CACHE"
"""Names the folder, where it is not to be the user's cache folder."""


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """SHARDLOG_CACHE, else `shardlog` in XDG_CACHE_HOME, else `~/.cache/shardlog`. Made where it is missing."""
    environment = os.environ if environment is None else environment
    if named := environment.get(CACHE_VARIABLE):
        folder = Path(named)
    else:
        folder = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shardlog"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """One process at a time, over a lock file that stays; it is let go with its process, however that ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
