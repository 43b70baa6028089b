"""Requests that nobody would write: whatever arrives, each is answered in the gateway's form, nothing is a server's
fault, and the next honest command is served. The corpus holds bodies that once mattered or easily might."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.gateway.served import JSON, NDJSON

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""No shrinking: a request that hangs would be tried again and again."""
HEADER_NAMES = ["idempotency-key", "if-match", "shardlog-correlation", "shardlog-causation", "shardlog-occurred-at",
                "traceparent", "content-encoding", "content-type", "accept", "x-unknown"]  # fmt: skip
fuzzed = settings(
    max_examples=60, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
values = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
stated = st.fixed_dictionaries(
    {
        "category": st.sampled_from(["jar", "tin", ""]),
        "id": st.text(max_size=10) | st.just("fuzz:1"),
        "command": st.sampled_from(["add", "add_twice", "look", "eat"]),
        "payload": json_values | st.just({"beans": 1}),
    },
    optional={
        "command_id": values,
        "expected_version": json_values,
        "occurred_at": json_values,
        "more": json_values,
    },
)
lines = st.one_of(
    st.binary(max_size=80).filter(lambda text: b"\n" not in text and not text.isspace()),
    json_values.map(lambda value: json.dumps(value).encode()),
    stated.map(lambda line: json.dumps(line).encode()),
)
PARTS = ["v1", "streams", "jar", "commands", "projections", "counts", "health", "ready", "%2F", "%00", "é", "..", ""]


def must_be_answered(response: httpx.Response) -> None:
    """By an outcome or a problem, and not by a fault."""
    answer = response.json()
    if response.status_code == 200:
        assert {"events", "version", "token"} <= answer.keys()
        return
    assert 400 <= response.status_code < 500, answer
    assert response.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= answer.keys()


def must_answer_each(response: httpx.Response, body: bytes) -> None:
    """Every line that is not blank, in order."""
    numbers = [number for number, text in enumerate(body.split(b"\n"), 1) if text and not text.isspace()]
    answers: list[dict[str, Any]] = [json.loads(text) for text in response.content.splitlines()]
    assert [answer["line"] for answer in answers] == numbers
    assert all(answer["status"] == 200 or 400 <= answer["status"] < 500 for answer in answers)


def must_still_serve(client: httpx.Client) -> None:
    assert client.post("/v1/streams/jar/honest:1/add", json={"beans": 1}).status_code == 200


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_the_corpus_is_answered_as_a_command_and_as_a_batch(client: httpx.Client, file: Path) -> None:
    body = file.read_bytes()
    must_be_answered(client.post("/v1/streams/jar/corpus:1/add", content=body, headers=JSON))
    must_answer_each(client.post("/v1/commands", content=body, headers=NDJSON), body)
    must_still_serve(client)


@fuzzed
@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(client: httpx.Client, body: bytes) -> None:
    must_be_answered(client.post("/v1/streams/jar/fuzz:2/add", content=body, headers=JSON))
    must_still_serve(client)


@fuzzed
@given(headers=st.lists(st.tuples(st.sampled_from(HEADER_NAMES), values), max_size=5))
def test_any_headers_are_answered(client: httpx.Client, headers: list[tuple[str, str]]) -> None:
    encoded = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers]
    response = client.post("/v1/streams/jar/fuzz:3/add", content=b'{"beans":1}', headers=encoded)
    must_be_answered(response)
    must_still_serve(client)


@fuzzed
@given(body=st.lists(lines, max_size=12).map(b"\n".join))
def test_any_batch_is_answered_line_by_line(client: httpx.Client, body: bytes) -> None:
    must_answer_each(client.post("/v1/commands", content=body, headers=NDJSON), body)
    must_still_serve(client)


@fuzzed
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"]),
    parts=st.lists(st.sampled_from(PARTS) | st.text(alphabet="abcé%:?#/ \\;@", max_size=6), max_size=7),
)
def test_any_path_is_answered(client: httpx.Client, method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts).replace("%", "%25").replace("é", "%C3%A9").replace(" ", "%20").replace("#", "%23")
    url = httpx.URL(str(client.base_url), raw_path=path.encode())
    response = client.request(method, url)
    assert response.status_code < 500
    if response.status_code >= 400 and method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json"
    must_still_serve(client)
