"""Commands in Avro while the schema registry has no answer: a real socket that takes connections and says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.banking import banking
from shardlog import Application
from shardlog.errors import RegistryUnavailable
from shardlog.wiring.kafka import avro
from shardlog.wiring.kafka.avro import LazyAvro
from shardlog.wiring.settings import SchemaSettings

FRAMED = b"\0\0\0\0\7value"


class Silent:
    """Counts the connections that it closes."""

    def __init__(self) -> None:
        self.accepted = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                connection, _ = self._server.accept()
                self.accepted += 1
                connection.close()
        except OSError:
            return

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def registry() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.close()


def test_a_registry_that_had_no_answer_is_not_asked_again_for_each_record(
    registry: Silent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "MISS_SECONDS", 3_600.0)
    lazy = LazyAvro(Application([banking]), SchemaSettings(registry_url=registry.url), tmp_path)
    for _ in range(5):
        with pytest.raises(RegistryUnavailable):
            lazy.read_command("account", "deposit", FRAMED)
    assert registry.accepted == 1
    with pytest.raises(RegistryUnavailable):
        lazy.read_command("account", "deposit", b"\0\0\0\0\x08value")
    assert registry.accepted == 2


def test_a_registry_that_had_no_answer_is_asked_again_after_a_while(
    registry: Silent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "MISS_SECONDS", 0.0)
    lazy = LazyAvro(Application([banking]), SchemaSettings(registry_url=registry.url), tmp_path)
    for number in range(3):
        with pytest.raises(RegistryUnavailable):
            lazy.read_command("account", "deposit", FRAMED)
        assert registry.accepted == number + 1
