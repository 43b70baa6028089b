"""`shardlog send` against a served engine: what it prints, and what it exits with."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable

import httpx
import pytest

from shardlog.cli.main import main
from shardlog.wiring.serving import bound

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def send(client: httpx.Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; gives exit code, output and error output."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("SHARDLOG_URL", str(client.base_url).rstrip("/"))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["send", *arguments])
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


def test_an_accepted_command_shows_its_events(send: Run, jar_id: str) -> None:
    code, out, err = send("jar", jar_id, "add_twice", '{"beans": 2}')
    assert (code, out) == (0, '1 added {"beans": 2}\n2 added {"beans": 2}\n')
    assert err.startswith("token ")
    assert send("jar", jar_id, "look")[1] == "accepted; nothing happened on this stream\n"


def test_json_is_the_servers_answer(send: Run, jar_id: str) -> None:
    code, out, _ = send("jar", jar_id, "add", "--json")
    assert (code, json.loads(out)["version"]) == (0, 1)
    code, out, _ = send("jar", jar_id, "eat", "--json")
    assert (code, json.loads(out)["code"]) == (3, "unknown_command")


def test_what_is_sent_again_under_its_id_is_applied_once(send: Run, jar_id: str, client: httpx.Client) -> None:
    for _ in range(2):
        assert send("jar", jar_id, "add", "--command-id", "once")[0] == 0
    assert client.get(f"/v1/streams/jar/{jar_id}").json()["version"] == 1


def test_a_stream_is_named_in_one_word_as_shardlog_stream_shows_it_or_in_two(send: Run, jar_id: str) -> None:
    assert send(f"jar/{jar_id}", "add", '{"beans": 2}')[:2] == (0, '1 added {"beans": 2}\n')
    assert send(f"jar/{jar_id}", "add")[:2] == (0, '2 added {"beans": 1}\n')
    assert send("jar", jar_id, "add")[:2] == (0, '3 added {"beans": 1}\n')
    assert send("--correlation", f"jar/{jar_id}", f"jar/{jar_id}", "add")[:2] == (0, '4 added {"beans": 1}\n')


def test_a_payload_is_read_from_the_standard_input(send: Run, jar_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"beans": 3}'))
    assert send(f"jar/{jar_id}", "add", "-")[:2] == (0, '1 added {"beans": 3}\n')


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing argument 'CATEGORY/ID COMMAND [PAYLOAD]'"),
        (("jar",), "'jar' is no stream: write CATEGORY/ID"),
        (("jar/a",), "Missing argument 'COMMAND'"),
        (("jar", "a"), "Missing argument 'COMMAND'"),
        (("jar/a", "add", "{}", "more"), "unexpected extra argument (more)"),
        (("jar", "a", "add", "{}", "more"), "unexpected extra argument (more)"),
    ],
)
def test_words_that_are_missing_or_too_many_are_a_usage_error(send: Run, arguments: tuple[str, ...], says: str) -> None:
    code, _, err = send(*arguments)
    assert code == 2
    assert says in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", '{"beans": -1}'), "too_few: -1 beans cannot be added"),
        (("add", "--expected-version", "3"), "wrong_version: "),
        (("add", "{"), "invalid_command: "),
        (
            ("add", '{"beens": 1}'),
            "invalid_command: jar/add: Object contains unknown field `beens`; did you mean 'beans'?",
        ),
        (("add", "--occurred-at", "yesterday"), "invalid_command: the header shardlog-occurred-at"),
        (("a/b",), "not_found: "),
    ],
)
def test_a_refusal_says_why(send: Run, jar_id: str, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = send("jar", jar_id, *arguments)
    assert (code, out) == (3, "")
    assert err.startswith(says)


def test_where_no_server_is_it_says_how_to_start_one(send: Run) -> None:
    with bound("127.0.0.1", 0) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        code, _, err = send("jar", "a", "add", "--url", url)
    assert code == 69
    assert "shardlog dev" in err


def test_where_no_answer_comes_it_says_how_to_ask_again(send: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, _, err = send("jar", "a", "add", "--url", url, "--timeout-s", "0.1", "--command-id", "order-17")
    assert code == 75
    assert "--command-id order-17" in err


def test_an_empty_command_id_is_a_usage_error(send: Run, jar_id: str, client: httpx.Client) -> None:
    code, _, err = send("jar", jar_id, "add", "--command-id", "")
    assert code == 2
    assert "it is empty" in err
    assert client.get(f"/v1/streams/jar/{jar_id}").json()["version"] == 0


@pytest.mark.parametrize("url", ["ftp://localhost", "localhost:8420", "https://localhost"])
def test_an_address_that_is_none_is_a_usage_error(send: Run, url: str) -> None:
    assert send("jar", "a", "add", "--url", url)[0] == 2
