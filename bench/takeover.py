"""How long a shard is away when its executor is killed: from the new process's start to the line that says it serves.

    python -m bench.takeover --json

An executor fills the shard from the commands topic, one command a stream, and is killed with SIGKILL. `shardlog serve
executor` is then started with another folder, so that no snapshot is at hand and all is replayed from the journal;
`takeover_s` is the median of several. In one more run the process is this benchmark's own and notes where the time
goes (`bench.kafka.phases`): interpreter and imports, settings and application, control records and topics, inputs,
replay, claim, and the announcement behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.kafka.place import send_all, with_broker
from bench.report import report
from bench.workload import application, one_each
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.codec.json import NOT_DECODED
from shardlog.journal.envelope import body_of
from shardlog.journal.records import decode_raw_frame
from shardlog.testing.services.kafka.forgetting import delete_topics
from shardlog.testing.services.processes import ServiceProcess
from shardlog.wiring.kafka import administration
from shardlog.wiring.settings import Settings, load_settings

FILL_SECONDS = 300.0
SERVE_SECONDS = 120.0
LOOK_SECONDS = 0.2
SERVE = ("-m", "shardlog.cli.main", "serve", "executor", "--ordinal", "0", "--settings")
PHASES = ("-m", "bench.kafka.phases")
TEXT = """\
[application]
domains = ["bench.workload:bank"]

[journal]
directory = "{directory}"
shards = 1

[kafka]
bootstrap_servers = "{bootstrap}"
journal = "{journal}"
"""


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--takeovers", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.streams, given.takeovers = 200, 1
    return with_broker(lambda bootstrap: _main(bootstrap, given))


def _main(bootstrap: str, given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        folder = Path(place)
        journal = f"bench-{os.getpid()}-{time.time_ns() % 1_000_000}"
        path = _settings(folder, "first", bootstrap, journal)
        made = administration.init(load_settings(path), application)
        try:
            send_all(load_settings(path).kafka, f"{journal}.commands", one_each(range(given.streams)))
            _fill(folder, path, given.streams)
            seconds = []
            for number in range(given.takeovers):
                seconds.append(_taken_over(_settings(folder, f"next-{number}", bootstrap, journal), SERVE)[0])
            _, phases = _taken_over(_settings(folder, "noted", bootstrap, journal), PHASES)
        finally:
            delete_topics(bootstrap, made.topics)
    figures: dict[str, object] = {
        "streams": given.streams,
        "takeover_s": median(seconds),
        "takeover_s_min": min(seconds),
        "takeover_s_max": max(seconds),
        **phases,
        "load_average": os.getloadavg()[0],
    }
    report(figures, given.json)
    return 0


def _settings(folder: Path, name: str, bootstrap: str, journal: str) -> Path:
    own = folder / name
    own.mkdir()
    path = own / "shardlog.toml"
    path.write_text(TEXT.format(directory=own / "data", bootstrap=bootstrap, journal=journal))
    return path


def _fill(folder: Path, path: Path, commands: int) -> None:
    """Serve until all commands are settled, then kill. Raises TimeoutError, ServiceFailed."""
    filling = ServiceProcess("executor", [sys.executable, *SERVE, str(path)], Path.cwd(), folder / "filling.log")
    settings = load_settings(path)
    journal = KafkaJournal(settings.kafka, 1)
    give_up = time.monotonic() + FILL_SECONDS
    settled, start = 0, 0
    try:
        while settled < commands:
            for offset, value in journal.read(0, start):
                start, settled = offset + 1, max(settled, _settled_by(settings, value))
            if not filling.is_running:
                raise filling.failed("has ended")
            if time.monotonic() > give_up:
                raise filling.failed(f"did not settle {commands} commands within {FILL_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
    finally:
        journal.close()
        filling.kill()


def _settled_by(settings: Settings, value: bytes) -> int:
    try:
        inputs = decode_raw_frame(body_of(value)).inputs
    except NOT_DECODED:
        return 0  # a claim
    name = f"kafka:{settings.kafka.commands_topic}:"
    return max((offset for input, offset in inputs.items() if input.startswith(name)), default=0)


def _taken_over(path: Path, arguments: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Start a process, and kill it once it serves: seconds, and what it said of them. Raises RuntimeError."""
    began = perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BEGAN": str(began)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = perf_counter() - began
        if not line:
            raise RuntimeError("the executor ended before it served; what it says stands above")
        said = json.loads(line)
    finally:
        process.kill()
        process.communicate()
    return seconds, said.get("phases", {})


if __name__ == "__main__":
    sys.exit(main())
