"""The settings of a run, as a file that every process of it reads: a journal of its own, with a name of its own."""

from __future__ import annotations

import uuid
from pathlib import Path

from demo.application import SHARDS

TEXT = """\
[application]
domains = ["domain.flights:flights"]
projections = ["projections.flights:flights"]

[journal]
directory = "{directory}"
shards = {shards}

[kafka]
bootstrap_servers = "{bootstrap}"
journal = "{journal}"

[ownership]
executors = {executors}
"""


def write_settings(directory: Path, bootstrap: str, executors: int) -> Path:
    """Write the file into this folder, and return where it is."""
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "shardlog.toml"
    journal = f"flights-{uuid.uuid4().hex[:8]}"
    path.write_text(
        TEXT.format(directory=directory, shards=SHARDS, bootstrap=bootstrap, journal=journal, executors=executors)
    )
    return path
