"""quixstreams and faust-streaming over the same commands, each in a process of its own with packages of its own.

They cannot stand beside shardlog: quixstreams 3.28 wants confluent-kafka below 2.13, and shardlog takes the newest. So
their packages, pinned in requirements.txt, are in an environment of their own, which is made when it is first needed
(`var/bench-peers`).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

from bench.kafka.place import send_all
from bench.workload import records
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, Topic
from shardlog.testing.services.kafka.forgetting import delete_topics

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
ENVIRONMENTS = Path("var") / "bench-peers"
RUN_SECONDS_MAX = 300.0
WARM_UP_PART = 0.2


class Peer(NamedTuple):
    """One of them: its name in the figures, and what runs it."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()


PEERS = (Peer("quixstreams", "quixstreams_account.py"), Peer("faust", "faust_account.py"))


def figures(bootstrap: str, commands: int, streams: int, reached_per_s: float) -> dict[str, object]:
    """Commands a second of each, and how many times as many shardlog reaches; None where one does not run."""
    python = _environment()
    found: dict[str, object] = {}
    for peer in PEERS:
        per_s = None if python is None else _measure(python, peer, bootstrap, commands, streams)
        found[f"{peer.name}_commands_per_s"] = per_s
        found[f"{peer.name}_ratio"] = None if per_s is None else reached_per_s / per_s
    return found


def _measure(python: Path, peer: Peer, bootstrap: str, commands: int, streams: int) -> float | None:
    name = f"bench-{peer.name}-{uuid.uuid4().hex[:8]}"
    settings = KafkaSettings(bootstrap_servers=bootstrap, journal=name)
    topics = [Topic(name, 1, {}), Topic(f"{name}-output", 1, {})]
    KafkaTopics(settings).create(topics)
    send_all(settings, name, records(commands, streams), keyed=True)
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as directory:
        given = {
            "bootstrap": bootstrap,
            "topic": name,
            "output": f"{name}-output",
            "commands": commands,
            "warm_up": int(commands * WARM_UP_PART),
            "directory": directory,
        }
        command = [str(python), str(HERE / peer.script), json.dumps(given), *peer.arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired:
            print(f"{peer.name} did not end within {RUN_SECONDS_MAX:.0f} s", file=sys.stderr)
            return None
        finally:
            delete_topics(bootstrap, [topic.name for topic in topics])
    if done.returncode:
        print(f"{peer.name} ended with exit code {done.returncode}: {done.stderr[-2_000:]}", file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


def _environment() -> Path | None:
    """The Python that has the peers' packages; None, with a word, where they cannot be installed."""
    pinned = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = (ENVIRONMENTS / pinned).resolve()
    python = folder / "bin" / "python"
    mark = folder / "installed"
    if mark.exists():
        return python
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"quixstreams and faust-streaming were not installed: {done.stderr[-1_000:]}", file=sys.stderr)
            return None
    mark.touch()
    return python
