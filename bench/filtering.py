"""What an event costs a projection that does not hear it: a journal of which it hears one event in a hundred, or all.

    python -m bench.filtering --events 200000 --json

`unheard_cost_ratio` is the CPU time of an event that is not heard, over that of one that is, from the journal's file to
rows in SQLite. Beside the whole, its parts: reading the journal, judging records (rule R2), decoding frames. Peers in
the same run decode the same frames for a projection that hears everything, and without any type of event.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

from bench import projected as flights
from bench.report import report
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.envelope import claim_value, frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import ClaimBody, decode_raw_frame, encode_claim, encode_frame
from shardlog.projector.core import Frame, Record, Source, pass_over
from shardlog.projector.heard import FrameReader
from shardlog.projector.runner import Projector

HEARD, UNHEARD = b'"flight/flown/1"', b'"flight/fuelled/1"'
SOURCE = Source(flights.JOURNAL, flights.SHARDS)
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--heard-percent", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    events = 2_000 if given.small else given.events
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        few = measured(Path(place) / "few", events, given.heard_percent)
        all_ = measured(Path(place) / "all", events, 100)
    share = given.heard_percent / 100
    unheard = (few["project_cpu_us_an_event"] - share * all_["project_cpu_us_an_event"]) / (1 - share)
    figures: dict[str, object] = {"events": events, "heard_percent": given.heard_percent}
    figures |= {f"few_{name}": value for name, value in few.items()}
    figures |= {f"all_{name}": value for name, value in all_.items()}
    figures["unheard_cpu_us_an_event"] = unheard
    figures["unheard_cost_ratio"] = unheard / all_["project_cpu_us_an_event"]
    report(figures, given.json)


def measured(directory: Path, events: int, heard_percent: int) -> dict[str, float]:
    """Microseconds of CPU an event, by what is done; the least of some rounds, since other work disturbs."""
    journal = SqliteJournal(directory / "journal", flights.SHARDS)
    fill(journal, events, heard_percent)
    records = [Record(s, *found) for s in range(flights.SHARDS) for found in journal.read(s, 0)]
    frames = pass_over(SOURCE, {}, records).frames
    counters = FrameReader(flights.application, [flights.counters], flights.JOURNAL)
    everything = FrameReader(flights.application, (), flights.JOURNAL, events=[flights.Flown, flights.Fuelled])
    heard = sum(len(counters.read(*frame)) for frame in frames)
    rounds = [project(journal, directory / f"{number}.sqlite", heard) for number in range(ROUNDS)]
    parts = {
        "project_cpu_us_an_event": min(rounds),
        "read_cpu_us_an_event": least(lambda: [list(journal.read(s, 0)) for s in range(flights.SHARDS)]),
        "judge_cpu_us_an_event": least(lambda: pass_over(SOURCE, {}, records)),
        "decode_cpu_us_an_event": least(lambda: each(frames, lambda frame: counters.read(*frame))),
        "decode_everything_cpu_us_an_event": least(lambda: each(frames, lambda frame: everything.read(*frame))),
        "decode_without_types_cpu_us_an_event": least(lambda: each(frames, lambda frame: decode_raw_frame(frame.body))),
    }
    journal.close()
    return {name: seconds / events * 1e6 for name, seconds in parts.items()}


def each(frames: list[Frame], work: Callable[[Frame], object]) -> None:
    """Do it with every frame, and keep nothing."""
    for frame in frames:
        work(frame)


def least(work: Callable[[], object]) -> float:
    """Seconds of CPU that it takes at best."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        begun = process_time()
        work()
        taken.append(process_time() - begun)
    return min(taken)


def project(journal: SqliteJournal, database: Path, heard: int) -> float:
    """Seconds of CPU to project the whole journal into counters."""
    store = SqlProjectionStore(database)
    projector = Projector(journal, flights.JOURNAL, flights.SHARDS, flights.application, [flights.counters], store)
    begun = process_time()
    projector.drain()
    taken = process_time() - begun
    store.close()
    assert projector.handled == {"counters": heard}, projector.handled
    return taken


def fill(journal: SqliteJournal, events: int, heard_percent: int) -> None:
    """Write frames round the shards, an event a command; of each hundred the first so many are heard."""
    readers = [Reader(flights.JOURNAL, shard, flights.SHARDS) for shard in range(flights.SHARDS)]
    writers = [journal.writer(shard) for shard in range(flights.SHARDS)]

    def append(shard: int, value: bytes) -> None:
        writers[shard].append(value, lambda _report: None)
        readers[shard].pass_over(readers[shard].position, value)

    for shard in range(flights.SHARDS):
        claim = encode_claim(ClaimBody("bench", "", 0, flights.TIME, ""))
        append(shard, claim_value(flights.JOURNAL, shard, flights.SHARDS, 1, flights.NONCE, claim))
    for first in range(0, events, flights.FRAME_EVENTS):
        reader = readers[first // flights.FRAME_EVENTS % flights.SHARDS]
        numbers = range(first, min(first + flights.FRAME_EVENTS, events))
        entries = [entry(number, number % 100 < heard_percent) for number in numbers]
        body = encode_frame(flights.TIME + first * 1_000, {}, entries)
        append(reader.shard, frame_value(reader.frame_prefix, reader.seq + 1, reader.head, body))
    for shard, reader in enumerate(readers):
        while journal.offsets(shard)[1] < reader.position:
            pass
    for writer in writers:
        writer.abandon(5_000)


def entry(number: int, is_heard: bool) -> bytes:
    """A command with one event, of about as many bytes whether it is heard or not."""
    written = flights.entry(number, 0)
    if is_heard:
        return written
    before, _, rest = written.replace(HEARD, UNHEARD).partition(b'{"carrier"')
    return b'%b{"litres":%d,"supplier":"of fuel"}%b' % (before, number, rest.partition(b"}")[2])


if __name__ == "__main__":
    main()
