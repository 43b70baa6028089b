"""How soon an event is in committed rows while a process of its own appends 50,000 events a second.

`python -m bench.project_lag DIRECTORY EVENTS_PER_S SECONDS` is that process: it appends real frames, each at its time,
and prints as one JSON array where each stands and when it was appended. The lag of an event runs from there to when the
transaction with its rows had been committed; both times are this host's clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from bisect import bisect_right
from pathlib import Path

from bench.projected import FRAME_EVENTS, JOURNAL, SHARDS, Frames, application, counters, entry
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.ports.projections import Batch, ProjectionStore
from shardlog.projector.runner import Projector

EVENTS_PER_S = 50_000
BODIES = 100
"""So many frames' entries are encoded beforehand, and written in turn: the writer shall not be what is measured."""


def figures(directory: Path, store: ProjectionStore, seconds: float) -> dict[str, object]:
    """The lag at that load, in seconds; how many events a second were really appended, and committed as rows."""
    command = [sys.executable, "-m", "bench.project_lag", str(directory), str(EVENTS_PER_S), str(seconds)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n", "the writer did not begin"
    journal = SqliteJournal(directory, SHARDS)
    commits = Commits(store)
    projector = Projector(journal, JOURNAL, SHARDS, application, [counters], store)
    stop = threading.Event()
    thread = threading.Thread(target=projector.run, args=(stop,), daemon=True)
    thread.start()
    appended: list[tuple[int, int, float]] = json.loads(writer.stdout.readline())
    writer.wait()
    while projector.behind():
        time.sleep(0.01)
    stop.set()
    thread.join()
    journal.close()
    lags = sorted(commits.at(shard, offset) - at for shard, offset, at in appended)
    lasted = appended[-1][2] - appended[0][2] or 1.0
    return {
        "lag_offered_events_per_s": EVENTS_PER_S,
        "lag_appended_events_per_s": (len(appended) - 1) * FRAME_EVENTS / lasted,
        "lag_committed_events_per_s": len(appended) * FRAME_EVENTS / (commits.last - appended[0][2]),
        "lag_s_p50": lags[len(lags) // 2],
        "lag_s_p99": lags[int(len(lags) * 0.99)],
        "lag_s_max": lags[-1],
    }


class Commits:
    """When each shard's checkpoint was committed by a store."""

    def __init__(self, store: ProjectionStore) -> None:
        self._nexts: list[list[int]] = [[] for _ in range(SHARDS)]
        self._times: list[list[float]] = [[] for _ in range(SHARDS)]
        write = store.write

        def noted(batch: Batch, *, keep: bool = True) -> None:
            write(batch, keep=keep)
            now = time.time()
            for move in batch.moves:
                self._nexts[move.new.shard].append(move.new.next)
                self._times[move.new.shard].append(now)

        store.write = noted  # type: ignore[method-assign]  # the port has no place to listen at

    @property
    def last(self) -> float:
        """When the last one was."""
        return max(times[-1] for times in self._times)

    def at(self, shard: int, offset: int) -> float:
        """When the record's rows were."""
        return self._times[shard][bisect_right(self._nexts[shard], offset)]


def main(directory: str, events_per_s: str, seconds: str) -> None:
    """The process that appends."""
    journal = SqliteJournal(Path(directory), SHARDS)
    frames = Frames(journal)
    bodies = [[entry(body * FRAME_EVENTS + place, 0) for place in range(FRAME_EVENTS)] for body in range(BODIES)]
    frames.wait()
    print("ready", flush=True)
    between_s = FRAME_EVENTS / float(events_per_s)
    begun = time.time()
    appended: list[tuple[int, int, float]] = []
    while (due := begun + len(appended) * between_s) < begun + float(seconds):
        time.sleep(max(0.0, due - time.time()))
        now = time.time()
        shard, offset = frames.write(int(now * 1e6), bodies[len(appended) % BODIES])
        appended.append((shard, offset, now))
    frames.wait()
    frames.close()
    journal.close()
    print(json.dumps(appended), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
