"""In a group too, a log that is not what a projection was built from stops it: not every Diverged passes by itself."""

from __future__ import annotations

from math import inf
from pathlib import Path
from time import monotonic, sleep

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import Diverged
from shardlog.journal.envelope import frame_value
from shardlog.journal.records import encode_frame
from shardlog.wiring import taken_over
from shardlog.wiring.projecting import ProjectionThreads
from tests.unit.projector.bank import Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter

SECONDS = 30.0


def test_a_log_whose_history_was_altered_stops_the_projection_in_a_group_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken_over, "BEHIND_SECONDS", 0.2)
    log = LogWriter(MemoryJournal(1), 1)
    log.happened(("a:1", Opened(owner="ann")))
    reader = log._readers[0]
    altered = "f" * len(reader.head)
    with pytest.raises(Diverged):
        log.append(0, frame_value(reader.frame_prefix, reader.seq + 1, altered, encode_frame(log.time, {}, [])))
    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    threads = ProjectionThreads(log.journal, JOURNAL, 1, bank()[0], store, in_group=True)
    threads.threads["balances"].hold([0], inf)
    threads.start()
    try:
        deadline = monotonic() + SECONDS
        while not (found := threads.stopped) and monotonic() < deadline:
            sleep(0.01)
    finally:
        threads.stop()
    assert isinstance(found["balances"], Diverged)
    assert "altered" in store.builds.records()[0].stopped
    store.close()
