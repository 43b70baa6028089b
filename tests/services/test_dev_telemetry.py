"""`shardlog dev` as an operator's tools see it: scraped, and its lines read as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.services.bank_process import SHARDS
from tests.services.dev_process import DevProcess
from tests.unit.telemetry.scraped import Scrape


def test_a_served_folder_is_scraped_and_its_log_lines_are_json_with_shard_and_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARDLOG_LOGGING_FORMAT", "json")
    monkeypatch.setenv("SHARDLOG_LOGGING_LEVEL", "info")
    process = DevProcess(tmp_path / "bank")
    try:
        process.wait_until_it_serves()
        url = f"http://127.0.0.1:{process.port}"
        opened = httpx.post(f"{url}/v1/streams/account/l1:ada/open", json={"owner": "Ada"}, timeout=20)
        assert opened.status_code == 200
        found = Scrape(httpx.get(f"{url}/metrics", timeout=20).text)
    finally:
        assert process.end() == 0
    assert found.total("shardlog_commands_total", outcome="accepted") == 1
    said = [json.loads(line) for line in process.errors().splitlines() if line.startswith("{")]
    served = {(line["shard"], line["epoch"]) for line in said if "served here" in line["message"]}
    assert served == {(shard, 1) for shard in range(SHARDS)}
    assert len({line["journal"] for line in said if "journal" in line}) == 1


def test_metrics_that_are_not_enabled_are_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDLOG_METRICS_ENABLED", "false")
    process = DevProcess(tmp_path / "bank")
    try:
        process.wait_until_it_serves()
        assert httpx.get(f"http://127.0.0.1:{process.port}/metrics", timeout=20).status_code == 404
    finally:
        process.end()
