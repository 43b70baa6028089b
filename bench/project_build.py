"""By how much a build from the beginning slows a projection that is kept up beside it, in the same PostgreSQL server.

`python -m bench.project_build DIRECTORY` is the process that builds: the counters, from the journal in that directory
into tables of its own, at full speed and again and again until it is ended. The database is in DATABASE. Meanwhile
another process appends 50,000 events a second to a journal of its own, and this one keeps up with them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench import project_lag
from bench.projected import JOURNAL, SHARDS, application, counters
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.runner import Projector

BUILT_IN = "built_beside"


def figures(
    directory: Path, database: str, store: ProjectionStore, seconds: float, alone: Mapping[str, object]
) -> dict[str, object]:
    """The lag beside a build, and by how many per cent fewer events a second become rows than `alone` says."""
    command = [sys.executable, "-m", "bench.project_build", str(directory / "journal")]
    builder = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "DATABASE": database})
    assert builder.stdout is not None
    try:
        assert builder.stdout.readline() == b"building\n", "the build did not begin"
        found = project_lag.figures(directory / "lag-beside", store, seconds)
        assert builder.poll() is None, "the build ended while it was measured"
    finally:
        builder.kill()
        builder.wait()
        builder.stdout.close()
    before, beside = (float(str(part["lag_committed_events_per_s"])) for part in (alone, found))
    return {
        "beside_a_build_lag_s_p50": found["lag_s_p50"],
        "beside_a_build_lag_s_p99": found["lag_s_p99"],
        "beside_a_build_events_per_s": beside,
        "build_slows_percent": max(0.0, (1 - beside / before) * 100),
    }


def main(journal: str) -> None:
    """The process that builds."""
    from shardlog.adapters.postgresql import PostgresqlProjectionStore

    store = PostgresqlProjectionStore(os.environ["DATABASE"], schema=BUILT_IN)
    projector = Projector(SqliteJournal(Path(journal), SHARDS), JOURNAL, SHARDS, application, [counters], store)
    print("building", flush=True)
    while True:
        projector.rebuild(counters.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
