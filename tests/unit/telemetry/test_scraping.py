"""A real engine scraped over HTTP: the values are what its journal and tables hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from shardlog.errors import ConfigurationError
from shardlog.executor.limits import Limits
from shardlog.gateway.settings import GatewaySettings
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import FrameBody, RawEvent, decode_raw_frame
from shardlog.telemetry.catalogue import METRICS
from shardlog.telemetry.metrics import registry_of, start_metrics_server
from shardlog.telemetry.settings import MetricsSettings
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.exposing import metrics_served
from shardlog.wiring.http_server import HttpServer
from shardlog.wiring.serving import LOOPBACK_HOSTS, bound
from tests.unit.gateway.served import Add, application, jar, run, serving
from tests.unit.telemetry.scraped import Scrape

DEADLINE_S = 20


def until(found: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + DEADLINE_S
    while not found():
        assert time.monotonic() < end, f"it did not come within {DEADLINE_S} s"


def frames_of(engine: Embedded, shard: int) -> list[tuple[bytes, FrameBody[RawEvent]]]:
    """The valid frames of a shard, by a reader of one's own."""
    reader = Reader(engine.meta.journal, shard, engine.shards)
    found = []
    for offset, value in engine.journal.read(shard, 0):
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            found.append((value, decode_raw_frame(verdict.body)))
    return found


def scraped(client: httpx.Client) -> Scrape:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.text)


def use(engine: Embedded, client: httpx.Client) -> None:
    """Commands of every kind, until their rows stand."""
    for number in range(20):
        sent = client.post(
            f"/v1/streams/jar/{number}/add", json={"beans": 1}, headers={"idempotency-key": f"k{number}"}
        )
        assert sent.status_code == 200
    repeat = client.post("/v1/streams/jar/3/add", json={"beans": 1}, headers={"idempotency-key": "k3"})
    assert repeat.status_code == 200
    assert client.post("/v1/streams/jar/a/add", json={"beans": -1}).status_code == 409
    assert client.post("/v1/streams/jar/a/add", json={"beans": "many"}).status_code == 400
    assert client.post("/v1/streams/jar/a/spill", json={}).status_code == 500
    assert client.post("/v1/streams/jar/a/add", json={"beans": 13}).status_code == 200
    engine.wait_for_projections()


def test_an_engine_scraped_over_http_shows_what_its_journal_holds(tmp_path: Path) -> None:
    with serving(tmp_path) as (engine, client):
        use(engine, client)
        found = scraped(client)
        for shard in range(engine.shards):
            label = str(shard)
            frames = frames_of(engine, shard)
            assert frames, f"shard {shard} has no frame, and this would compare nothing"
            commands = sum(len(frame.entries) for _, frame in frames)
            sizes = sum(len(value) for value, _ in frames)
            _, end = engine.journal.offsets(shard)
            assert found.value("shardlog_frames_appended_total", shard=label) == len(frames)
            assert found.value("shardlog_frames_acknowledged_total", shard=label) == len(frames)
            assert found.value("shardlog_acknowledgement_seconds_count", shard=label) == len(frames)
            assert found.value("shardlog_frame_bytes_sum", shard=label) == sizes
            assert found.value("shardlog_frame_commands_sum", shard=label) == commands
            assert found.value("shardlog_shard_next_offset", shard=label) == end
            assert found.value("shardlog_shard_epoch", shard=label) == 1
            assert found.value("shardlog_shard_mode", shard=label, mode="serving") == 1
            assert found.total("shardlog_shard_mode", shard=label) == 1
            assert found.value("shardlog_claims_won_total", shard=label) == 1
            assert found.total("shardlog_invalid_records_total", shard=label) == 0


def test_commands_are_counted_by_outcome_and_class_of_code(tmp_path: Path) -> None:
    with serving(tmp_path) as (engine, client):
        use(engine, client)
        found = scraped(client)
    assert found.total("shardlog_commands_total", outcome="accepted", code="") == 21
    assert found.total("shardlog_commands_total", outcome="rejected", code="business") == 1
    assert found.total("shardlog_commands_total", outcome="rejected", code="internal_error") == 1
    assert found.total("shardlog_commands_total", outcome="refused", code="invalid_command") == 1
    assert found.total("shardlog_commands_total", outcome="repeated", code="") == 1
    assert found.total("shardlog_commands_total") == 25


def test_projections_and_relay_show_how_far_they_are(tmp_path: Path) -> None:
    with serving(tmp_path) as (engine, client):
        use(engine, client)
        engine.wait_for_sends()
        ends = {str(shard): engine.journal.offsets(shard)[1] for shard in range(engine.shards)}
        until(lambda: scraped(client).total("shardlog_relay_next_offset") == sum(ends.values()))
        until(lambda: scraped(client).total("shardlog_projection_next_offset") == sum(ends.values()))
        found = scraped(client)
    for shard, end in ends.items():
        assert found.value("shardlog_projection_next_offset", projection="counts", shard=shard) == end
        assert found.value("shardlog_projection_lag_records", projection="counts", shard=shard) == 0
        assert found.value("shardlog_relay_next_offset", shard=shard) == end
        assert found.value("shardlog_relay_lag_records", shard=shard) == 0
    assert found.value("shardlog_projection_dead_letters_total", projection="counts") == 1
    assert found.value("shardlog_projection_heard_total", projection="counts") == 21
    assert found.value("shardlog_projection_stopped", projection="counts") == 0


def test_a_snapshot_and_the_recovery_from_it_are_shown(tmp_path: Path) -> None:
    before = time.time()
    with serving(tmp_path) as (engine, client):
        use(engine, client)
        engine.snapshot()
        first = scraped(client)
    with serving(tmp_path) as (engine, client):
        second = scraped(client)
        end = {str(shard): engine.journal.offsets(shard)[1] for shard in range(engine.shards)}
    for shard in ("0", "1"):
        assert first.value("shardlog_snapshots_written_total", shard=shard) == 1
        assert first.value("shardlog_snapshot_bytes", shard=shard) > 0
        taken = first.value("shardlog_snapshot_taken_timestamp_seconds", shard=shard)
        assert before <= taken <= time.time()
        assert second.value("shardlog_snapshot_taken_timestamp_seconds", shard=shard) == taken
        assert second.value("shardlog_snapshots_written_total", shard=shard) == 0
        assert second.value("shardlog_replayed_frames_total", shard=shard) == 0
        assert second.value("shardlog_replay_end_offset", shard=shard) == end[shard] - 1
        assert second.value("shardlog_recovery_seconds", shard=shard) > 0
        assert second.value("shardlog_shard_epoch", shard=shard) == 2


def test_all_that_is_scraped_stands_in_the_catalogue_and_no_label_holds_an_id(tmp_path: Path) -> None:
    with serving(tmp_path) as (engine, client):
        use(engine, client)
        found = scraped(client)
    for name, labels in found.values:
        metric = METRICS.get(name) or METRICS[name.rpartition("_")[0]]
        assert {label for label, _ in labels} - {"le"} == set(metric.labels)
        for label, value in labels:
            assert label in {"shard", "le"} or not any(character.isdigit() for character in value), (name, label, value)


def test_two_engines_in_one_process_count_for_themselves(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as (one, busy), serving(tmp_path / "two") as (_, idle):
        use(one, busy)
        assert scraped(busy).total("shardlog_frames_appended_total") > 0
        assert scraped(idle).total("shardlog_frames_appended_total") == 0


def test_metrics_are_answered_while_requests_are_refused_for_their_rate(tmp_path: Path) -> None:
    with serving(tmp_path, settings=GatewaySettings(requests_per_s_max=1)) as (_, client):
        until(lambda: client.get("/v1/projections").status_code == 429)
        assert client.get("/metrics").status_code == 200


def test_a_server_without_metrics_has_no_such_route(tmp_path: Path) -> None:
    with (
        Embedded(application, tmp_path, shards=1) as engine,
        bound("127.0.0.1", 0) as listener,
        run(lambda: HttpServer(engine, Limits(), LOOPBACK_HOSTS, has_metrics=False), listener) as client,
    ):
        assert client.get("/metrics").status_code == 404


def test_a_role_serves_its_metrics_at_a_port_of_its_own(tmp_path: Path) -> None:
    with Embedded(application, tmp_path, shards=1) as engine:
        engine.send(jar.stream("a"), Add(beans=1))
        with metrics_served(MetricsSettings(port=0), engine.figures) as port:
            found = Scrape(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert found.value("shardlog_frames_acknowledged_total", shard="0") == 1


def test_a_port_that_is_taken_is_named() -> None:
    with (
        start_metrics_server(registry_of(), 0) as server,
        pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{server.port}: .*\[metrics\] port"),
    ):
        start_metrics_server(registry_of(), server.port)


def test_a_host_that_others_reach_is_refused_unless_it_is_allowed() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"host '0\.0\.0\.0' .* \[metrics\] allow_remote"),
        metrics_served(MetricsSettings(host="0.0.0.0", port=0), list),
    ):
        raise AssertionError("it was served")
    with metrics_served(MetricsSettings(host="0.0.0.0", port=0, allow_remote=True), list) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200


def test_what_is_not_enabled_is_not_served() -> None:
    with metrics_served(MetricsSettings(enabled=False), list) as port:
        assert port is None
