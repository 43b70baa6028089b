"""Single commands over HTTP: every answer of the table, by a real engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import httpx
import pytest

from shardlog import CommandRejected, CommandUnavailable
from shardlog.errors import ENGINE_CODES
from shardlog.gateway import commands
from shardlog.gateway.problems import STATUS, of_outcome
from shardlog.ids import uuid7
from shardlog.wiring.embedded import Embedded
from tests.unit.gateway.served import BYTES_MAX, IMPATIENT, JSON, PlayedEngine, ask, jar


def send(
    client: httpx.Client, id: str, command: str = "add", body: object = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return client.post(f"/v1/streams/jar/{id}/{command}", json=body or {}, headers=headers or {})


def refused(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The problem, which must be of this status and code."""
    problem: dict[str, object] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:shardlog:{code}"
    assert problem["title"]
    assert problem["detail"]
    return problem


# -- accepted ----------------------------------------------------------------------------------------------------------
def test_an_accepted_command_is_answered_with_its_events_version_and_token(client: httpx.Client, jar_id: str) -> None:
    send(client, jar_id)
    response = send(client, jar_id, "add_twice", {"beans": 2})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["events"] == [
        {"type": "added", "version": 2, "data": {"beans": 2}},
        {"type": "added", "version": 3, "data": {"beans": 2}},
    ]
    assert answer["version"] == 3
    assert answer["token"].count(".") == 3


def test_a_command_without_events_has_no_version(client: httpx.Client, jar_id: str) -> None:
    answer = send(client, jar_id, "look").json()
    assert (answer["events"], answer["version"]) == ([], None)
    assert answer["token"]


@pytest.mark.parametrize("quoted", ['"3"', "3"])
def test_the_expected_version_is_taken_quoted_and_bare(client: httpx.Client, jar_id: str, quoted: str) -> None:
    send(client, jar_id, "add_twice", {"beans": 1})
    problem = refused(send(client, jar_id, headers={"if-match": quoted}), 412, "wrong_version")
    assert problem["details"] == {"expected": 3, "actual": 2}
    assert problem["token"]
    send(client, jar_id)
    assert send(client, jar_id, headers={"if-match": quoted}).json()["version"] == 4


def test_the_headers_say_when_it_happened_and_what_it_belongs_to(
    served: tuple[Embedded, httpx.Client], jar_id: str
) -> None:
    engine, client = served
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    headers = {
        "idempotency-key": f'"quoted-{jar_id}"',
        "shardlog-correlation": "order-1",
        "shardlog-causation": "order-2",
        "traceparent": trace,
        "shardlog-occurred-at": "2026-03-01T12:00:00+01:00",
    }
    token = send(client, jar_id, headers=headers).json()["token"]
    _, shard, offset, _ = token.split(".")
    value = next(value for at, value in engine.journal.read(int(shard), int(offset)) if at == int(offset))
    for text in (f'"quoted-{jar_id}"', '"http","order-1","order-2"', f'"{trace}"', "1772362800000000"):
        assert text.encode() in value


def test_a_malformed_trace_is_ignored(client: httpx.Client, jar_id: str) -> None:
    assert send(client, jar_id, headers={"traceparent": "nonsense"}).status_code == 200


# -- repeats -----------------------------------------------------------------------------------------------------------
def test_a_repeat_gets_the_first_answer(client: httpx.Client, jar_id: str) -> None:
    first = send(client, jar_id, "add_twice", {"beans": 2}, {"idempotency-key": "once"})
    send(client, jar_id)
    again = send(client, jar_id, "add_twice", {"beans": 2}, {"idempotency-key": "once"})
    assert again.status_code == first.status_code == 200
    assert again.content == first.content


def test_a_refused_command_repeated_is_refused_with_the_same_answer(client: httpx.Client, jar_id: str) -> None:
    first = send(client, jar_id, body={"beans": -1}, headers={"idempotency-key": "no"})
    again = send(client, jar_id, body={"beans": -1}, headers={"idempotency-key": "no"})
    refused(first, 409, "too_few")
    assert again.content == first.content


def test_requests_with_one_id_at_once_have_one_outcome_and_one_answer(client: httpx.Client, jar_id: str) -> None:
    answers: list[httpx.Response] = []
    together = threading.Barrier(8)

    def repeat() -> None:
        with httpx.Client(base_url=client.base_url, timeout=20) as own:
            together.wait()
            answers.append(send(own, jar_id, body={"beans": 5}, headers={"idempotency-key": "at-once"}))

    threads = [threading.Thread(target=repeat) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert client.get(f"/v1/streams/jar/{jar_id}").json()["state"] == {"beans": 5}


def test_the_same_id_with_another_command_is_refused(client: httpx.Client, jar_id: str) -> None:
    key = {"idempotency-key": "k"}
    send(client, jar_id, headers=key)
    refused(send(client, jar_id, body={"beans": 2}, headers=key), 422, "id_reused")
    refused(send(client, jar_id, headers=key | {"if-match": "0"}), 422, "id_reused")


# -- refused by the domain and by the engine ---------------------------------------------------------------------------
def test_a_business_rejection_is_a_conflict_with_its_token(client: httpx.Client, jar_id: str) -> None:
    problem = refused(send(client, jar_id, body={"beans": -1}), 409, "too_few")
    assert problem["detail"] == "-1 beans cannot be added"
    assert problem["token"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'{"beans":"two"}', b'{"beans":1,"peas":1}', b'\xff\xfe{"beans":1}', b"[" * 1_900,
     b'{"beans":1}{"beans":1}', b'{"beans":"\\ud800"}', b'{"beans":1e400}'],
)  # fmt: skip
def test_a_body_that_is_no_such_command_is_refused(client: httpx.Client, jar_id: str, body: bytes) -> None:
    response = client.post(f"/v1/streams/jar/{jar_id}/add", content=body, headers=JSON)
    refused(response, 400, "invalid_command")
    assert client.get(f"/v1/streams/jar/{jar_id}").json()["version"] == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is empty: send the command as a JSON object, {} at least"),
        (b" \n", "the body is empty: send the command as a JSON object, {} at least"),
        (b"{", "the body is no JSON: it ends too early, or has half of an escape such as \\ud83d\\ude00"),
        (b"beans", "the body is no JSON: invalid character (byte 0 of it)"),
        (b'{"beans":1,}', "the body is no JSON: trailing comma in object (byte 11 of it)"),
        (b'{"beans":1}{', "the body is no JSON: more follows behind its value"),
        (b'{"beans":"\xff"}', "the body is no JSON: invalid start byte (byte 10 of it)"),
        (b"[" * 1_900, "the body is nested too deeply (nesting_max)"),
    ],
)
def test_a_body_that_is_no_json_is_told_by_its_own_bytes(
    client: httpx.Client, jar_id: str, body: bytes, said: str
) -> None:
    response = client.post(f"/v1/streams/jar/{jar_id}/add", content=body, headers=JSON)
    assert refused(response, 400, "invalid_command")["detail"] == said


def test_a_body_of_json_is_told_by_what_the_command_lacks(client: httpx.Client, jar_id: str) -> None:
    problem = refused(send(client, jar_id, body={"peas": 1}), 400, "invalid_command")
    assert str(problem["detail"]).startswith("jar/add: ")


def test_a_misspelt_field_of_a_command_is_answered_with_the_one_that_is_near(client: httpx.Client, jar_id: str) -> None:
    problem = refused(send(client, jar_id, body={"beens": 1}), 400, "invalid_command")
    assert problem["detail"] == "jar/add: Object contains unknown field `beens`; did you mean 'beans'?"


@pytest.mark.parametrize("id", ["%2E%2E", "a%20b", "%00", "a%0A", "%ff", "a:", ":", "x" * 201, "a%3Fb"])
def test_an_id_that_is_none_is_refused(client: httpx.Client, id: str) -> None:
    url = httpx.URL(str(client.base_url), raw_path=f"/v1/streams/jar/{id}/add".encode())
    refused(client.post(url, json={}), 400, "invalid_id")


@pytest.mark.parametrize("path", ["/v1/streams/jar/a/eat", "/v1/streams/tin/a/add"])
def test_an_unknown_command_or_category_is_not_found(client: httpx.Client, path: str) -> None:
    assert refused(client.post(path, json={}), 404, "unknown_command")["detail"]


def test_ids_that_tell_their_age_expire_and_must_not_come_from_the_future(client: httpx.Client, jar_id: str) -> None:
    now_us = time.time_ns() // 1000
    old, early = uuid7(now_us - 3_600_000_000, b"x" * 10), uuid7(now_us + 3_600_000_000, b"x" * 10)
    assert "token" not in refused(send(client, jar_id, headers={"idempotency-key": old}), 409, "expired")
    refused(send(client, jar_id, headers={"idempotency-key": early}), 400, "issued_in_future")


def test_a_fault_of_the_domain_is_a_server_error_and_the_next_command_is_served(
    client: httpx.Client, jar_id: str
) -> None:
    refused(send(client, jar_id, "spill"), 500, "internal_error")
    assert send(client, jar_id).status_code == 200


def test_every_code_of_the_engine_has_a_status() -> None:
    assert STATUS.keys() >= ENGINE_CODES


@pytest.mark.parametrize(("delay_ms", "seconds"), [(200, "1"), (1_000, "1"), (1_001, "2"), (0, "1")])
def test_unavailable_says_when_to_come_back(delay_ms: int, seconds: str) -> None:
    engine = PlayedEngine(lambda _: CommandUnavailable("unavailable", "full", delay_ms))
    response = ask(engine, "POST", "/v1/streams/jar/a/add", json={})
    assert refused(response, 503, "unavailable")["retry_after_ms"] == delay_ms
    assert response.headers["retry-after"] == seconds


def test_an_unknown_outcome_is_a_gateway_timeout() -> None:
    engine = PlayedEngine(lambda _: CommandUnavailable("outcome_unknown", "who knows", 200))
    refused(ask(engine, "POST", "/v1/streams/jar/a/add", json={}), 504, "outcome_unknown")


def test_a_command_without_outcome_in_time_is_answered() -> None:
    response = ask(PlayedEngine(lambda _: None), "POST", "/v1/streams/jar/a/add", json={}, settings=IMPATIENT)
    refused(response, 504, "outcome_unknown")


def test_details_of_a_rejection_are_shown() -> None:
    shown = of_outcome(CommandRejected("too_few", "no", {"least": 1}, "t"))
    assert (shown.details, shown.token, shown.status) == ({"least": 1}, "t", 409)


# -- refused by the gateway --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1", "application/jsonx"])  # noqa: E501  # fmt: skip
def test_another_media_type_is_refused(client: httpx.Client, jar_id: str, given: str) -> None:
    response = client.post(f"/v1/streams/jar/{jar_id}/add", content=b"{}", headers={"content-type": given})
    refused(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("given", ["Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'])  # noqa: E501  # fmt: skip
def test_json_in_other_words_is_taken(client: httpx.Client, jar_id: str, given: str) -> None:
    response = client.post(f"/v1/streams/jar/{jar_id}/add", content=b"{}", headers={"content-type": given})
    assert response.status_code == 200


def test_a_compressed_body_is_refused(client: httpx.Client, jar_id: str) -> None:
    response = client.post(f"/v1/streams/jar/{jar_id}/add", content=b"{}", headers=JSON | {"content-encoding": "gzip"})
    refused(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "headers",
    [{"if-match": "*"}, {"if-match": 'W/"3"'}, {"if-match": '"3'}, {"if-match": "-1"}, {"if-match": "9" * 30},
     {"idempotency-key": ""}, {"idempotency-key": "x" * 129}, {"idempotency-key": "a\tb"},
     {"shardlog-correlation": "x" * 129}, {"shardlog-occurred-at": "2026-03-01T12:00:00"},
     {"shardlog-occurred-at": "yesterday"}, {"shardlog-occurred-at": "1969-12-31T23:59:59Z"}],
)  # fmt: skip
def test_a_header_that_is_none_is_refused_by_name(client: httpx.Client, jar_id: str, headers: dict[str, str]) -> None:
    problem = refused(send(client, jar_id, headers=headers), 400, "invalid_command")
    assert next(iter(headers)) in str(problem["detail"])
    assert client.get(f"/v1/streams/jar/{jar_id}").json()["version"] == 0


def test_a_header_that_stands_twice_is_refused(client: httpx.Client, jar_id: str) -> None:
    headers = [("if-match", "0"), ("if-match", "1")]
    refused(client.post(f"/v1/streams/jar/{jar_id}/add", json={}, headers=headers), 400, "invalid_command")


@pytest.mark.parametrize("size", [BYTES_MAX + 1, 10_000_000])
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_beyond_the_limit_is_refused_while_it_is_read(
    client: httpx.Client, jar_id: str, size: int, is_declared: bool
) -> None:
    body = b" " * size
    content = body if is_declared else iter([body[i : i + 65_536] for i in range(0, size, 65_536)])
    response = client.post(f"/v1/streams/jar/{jar_id}/add", content=content, headers=JSON)
    assert str(BYTES_MAX) in str(refused(response, 413, "too_large")["detail"])
    assert send(client, jar_id).json()["version"] == 1


def test_a_body_at_the_limit_is_taken(client: httpx.Client, jar_id: str) -> None:
    body = b'{"beans":1}'.ljust(BYTES_MAX)
    assert client.post(f"/v1/streams/jar/{jar_id}/add", content=body, headers=JSON).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/streams", "/v1/streams/jar", "/v1/streams/jar/a/add/", "//health/live"])  # noqa: E501  # fmt: skip
def test_an_unknown_route_is_not_found(client: httpx.Client, path: str) -> None:
    url = httpx.URL(str(client.base_url), raw_path=path.encode())
    refused(client.post(url, json={}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/streams/jar/a/add", "POST"), ("DELETE", "/v1/commands", "POST"), ("POST", "/v1/streams/jar/a", "GET"),
     ("OPTIONS", "/v1/streams/jar/a/add", "POST"), ("PUT", "/health/live", "GET")],
)  # fmt: skip
def test_another_method_is_refused_with_those_there_are(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    refused(response, 405, "method_not_allowed")
    assert allowed in response.headers["allow"]


def test_another_host_name_is_refused_where_only_this_host_may_ask(client: httpx.Client) -> None:
    refused(client.get("/health/live", headers={"host": "evil.example:80"}), 421, "unknown_host")
    for host in ("localhost:1234", "127.0.0.1", "[::1]:80", "LocalHost"):
        assert client.get("/health/live", headers={"host": host}).status_code == 200


def test_fresh_ids_are_different_and_tell_their_time() -> None:
    assert commands.fresh_command_id() != commands.fresh_command_id()
    assert jar.category == "jar"
