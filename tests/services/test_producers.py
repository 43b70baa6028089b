"""Clients in several languages, as docs/producers.md shows them: their commands reach the right shard, once."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from domain.banking.messages import Deposit, Open
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.sharding import shard_of
from shardlog.testing.services.kafka.jars import jars, java
from tests.docs.stranger import blocks
from tests.missing import or_skip, without
from tests.services.kafka_served import (
    LEDGERS,
    SHARDS,
    KafkaServed,
    Sending,
    entries,
    envelope,
    made_topics,
)
from tests.services.processes import ROOT

PAGE = ROOT / "docs" / "producers.md"
NODE = Path(__file__).with_name("producers")
FRANZ_GO = "github.com/twmb/franz-go@v1.18.1"
RUN_SECONDS = 600
"""A first build may compile a whole library."""
slow = pytest.mark.timeout(4 * RUN_SECONDS)
BOTH = [f"{ledger}:alice" for ledger in LEDGERS]
"""An account of each shard."""
TRAP = next(f"t{n}" for n in range(100) if shard_of(f"t{n}", SHARDS) == 0)


@pytest.fixture
def settings(kafka: str, journal_name: str) -> KafkaSettings:
    return made_topics(kafka, journal_name)


def snippet(name: str) -> str:
    """The block of the page whose first line says this file name."""
    (found,) = (block.source for block in blocks(PAGE) if block.source.split("\n", 1)[0].endswith(f" {name}"))
    return found


def run(settings: KafkaSettings, folder: Path, *command: str, stdin: str | None = None) -> str:
    """What it prints; fails with all that it said."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "BOOTSTRAP": settings.bootstrap_servers,
            "NAME": settings.journal,
            "PYTHONPATH": str(ROOT),
            "GOFLAGS": "-mod=mod",
        },
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        input=stdin,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def must_have(program: str, package: str) -> str:
    """The program, or the test is skipped, under CI failed, with what to install."""
    found = shutil.which(program)
    if found is None:
        without(f"there is no `{program}`: install it (Debian: apt-get install {package})")
    return found


def java_and_jars() -> tuple[str, str]:
    """The program, and the class path of Kafka's own clients and tools."""
    with or_skip():
        program, folder = java(), jars()
    return program, f"{folder}/*"


def were_executed_once(settings: KafkaSettings) -> None:
    """Both accounts were opened and got 500, each in its shard, by two commands; nothing was forwarded or refused."""
    with KafkaServed(settings) as served:
        for shard in range(SHARDS):
            served.settle(1, shard)
        assert [served.state(id).balance for id in BOTH] == [500, 500]
    for shard in range(SHARDS):
        found = entries(settings, shard)
        assert [(type(e).__name__, e.id, e.command) for e in found] == [
            ("Accepted", BOTH[shard], "open"),
            ("Accepted", BOTH[shard], "deposit"),
        ]


# -- the page --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["send_typed.py", "send_plain.py"])
def test_python(settings: KafkaSettings, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(snippet(name))
    for id in BOTH:
        run(settings, tmp_path, sys.executable, name, id)
    were_executed_once(settings)


@slow
def test_java(settings: KafkaSettings, tmp_path: Path) -> None:
    program, class_path = java_and_jars()
    (tmp_path / "SendCommands.java").write_text(snippet("SendCommands.java"))
    for id in BOTH:
        run(settings, tmp_path, program, "-cp", class_path, "SendCommands.java", id)
    were_executed_once(settings)


@slow
def test_node(settings: KafkaSettings, tmp_path: Path) -> None:
    node, npm = must_have("node", "nodejs"), must_have("npm", "npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE / name, tmp_path)
    (tmp_path / "send.mjs").write_text(snippet("send.mjs"))
    run(settings, tmp_path, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    for id in BOTH:
        run(settings, tmp_path, node, "send.mjs", id)
    were_executed_once(settings)


@slow
def test_go(settings: KafkaSettings, tmp_path: Path) -> None:
    go = must_have("go", "golang-go")
    (tmp_path / "main.go").write_text(snippet("main.go"))
    run(settings, tmp_path, go, "mod", "init", "producers")
    run(settings, tmp_path, go, "get", FRANZ_GO)
    run(settings, tmp_path, go, "build", "-o", "producers", ".")
    for id in BOTH:
        run(settings, tmp_path, "./producers", id)
    were_executed_once(settings)


def test_the_envelope_of_the_page_is_one(settings: KafkaSettings) -> None:
    (shown,) = (block.source for block in blocks(PAGE) if block.language == "json")
    value = msgspec.json.decode(str(shown))
    id = f"{TRAP}:alice"
    sending = Sending(settings)
    sending.put(envelope(id, Open(owner="alice")))
    last = sending.put(msgspec.json.encode([*value[:2], id, *value[3:]]))
    with KafkaServed(settings) as served:
        served.settle(last)
        assert served.state(id).balance == 500


# -- clients that the page does not show -----------------------------------------------------------
@slow
def test_kafkas_own_console_producer(settings: KafkaSettings, tmp_path: Path) -> None:
    program, class_path = java_and_jars()
    lines = [
        f"{id.partition(':')[0]}|{envelope(id, command).decode()}"
        for id in BOTH
        for command in (Open(owner="alice"), Deposit(amount=500))
    ]
    run(
        settings,
        tmp_path,
        program,
        "-cp",
        class_path,
        "org.apache.kafka.tools.ConsoleProducer",
        "--bootstrap-server",
        settings.bootstrap_servers,
        "--topic",
        settings.commands_topic,
        "--property",
        "parse.key=true",
        "--property",
        "key.separator=|",
        stdin="\n".join(lines) + "\n",
    )
    were_executed_once(settings)


def test_aiokafka(settings: KafkaSettings) -> None:
    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, enable_idempotence=True) as producer:
            for id in BOTH:
                for name, payload in (("open", b'{"owner":"alice"}'), ("deposit", b'{"amount":500}')):
                    headers = {"category": "account", "stream": id, "command": name}
                    await producer.send_and_wait(
                        settings.commands_topic,
                        payload,
                        id.partition(":")[0].encode(),
                        headers=[(f"shardlog-{key}", text.encode()) for key, text in headers.items()],
                    )

    asyncio.run(send())
    were_executed_once(settings)


def test_a_client_that_partitions_in_another_way_is_seen_as_forwards(settings: KafkaSettings) -> None:
    """librdkafka's default is CRC-32: of many ledgers about half lie in the wrong partition."""
    plain = Sending(settings).producer
    landed: list[tuple[int, int]] = []
    ledgers = [f"m{n}" for n in range(40)]
    for ledger in ledgers:
        plain.produce(
            settings.commands_topic,
            envelope(f"{ledger}:1", Open(owner="ann")),
            ledger,
            on_delivery=lambda _, message: landed.append((message.partition() or 0, message.offset() or 0)),
        )
    assert plain.flush(30) == 0
    with KafkaServed(settings) as served:
        for shard in range(SHARDS):
            served.settle(max(offset for partition, offset in landed if partition == shard), shard)
    kinds = [type(entry).__name__ for shard in range(SHARDS) for entry in entries(settings, shard)]
    assert len(kinds) == len(ledgers)
    assert set(kinds) == {"Accepted", "Forwarded"}
