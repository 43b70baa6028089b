"""An embedded engine and its settings: what is refused before anything is written, what is obeyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.banking import banking
from domain.banking.account import account
from domain.banking.messages import Deposit, Open
from shardlog import Application, CommandAccepted, CommandRejected, CommandUnavailable
from shardlog.errors import ConfigurationError, NotServing, StreamUnreadable
from shardlog.executor.limits import Limits
from shardlog.wiring.embedded import Embedded

application = Application([banking])
ADA = account.stream("l1:ada")


@pytest.mark.parametrize("shards", [0, -1, 100_000, "4", 4.0, True, None])
def test_a_number_of_shards_that_cannot_be_is_refused(shards: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Embedded(application, tmp_path / "new", shards=shards)
    assert str(refused.value) == f"journal setting shards is {shards!r}, and must be an integer, 1 to 10_000"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["file", "file/below", "file/far/below"])
def test_a_directory_that_is_a_file_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"/file is a file: name a directory"):
        Embedded(application, tmp_path / path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("limit", [0, "200", 200.0, float("nan")])
def test_a_limit_that_cannot_be_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"frame_commands_max is .*, and must be an integer, 1 to 100_000"):
        Limits(frame_commands_max=limit)


def test_before_it_is_opened_an_engine_takes_nothing(tmp_path: Path) -> None:
    engine = Embedded(application, tmp_path / "new")
    for use in (engine.send, engine.submit):
        with pytest.raises(NotServing, match=r"is not open, and nothing was done: use it inside of its `with` block"):
            use(ADA, Open(owner="Ada"))
    with pytest.raises(NotServing):
        engine.read(ADA)
    assert not (tmp_path / "new").exists()


def test_once_it_is_closed_an_engine_says_so(tmp_path: Path) -> None:
    with Embedded(application, tmp_path / "new") as engine:
        engine.send(ADA, Open(owner="Ada"))
    outcome = engine.send(ADA, Deposit(amount=1))
    assert isinstance(outcome, CommandUnavailable)
    assert f"this Embedded ({tmp_path / 'new'}) is closed" in outcome.message
    with pytest.raises(StreamUnreadable, match="is closed"):
        engine.read(ADA)


def test_it_can_be_opened_again(tmp_path: Path) -> None:
    engine = Embedded(application, tmp_path / "new")
    with engine:
        engine.send(ADA, Open(owner="Ada"))
    with engine:
        assert engine.read(ADA).version == 1


def test_the_settings_of_a_file_and_of_the_environment_are_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shardlog.toml").write_text(
        '[application]\ndomains = ["domain.banking:banking"]\n[journal]\nshards = 3\n'
        "[executor]\ncommand_bytes_max = 400\n"
    )
    monkeypatch.setenv("SHARDLOG_JOURNAL_DIRECTORY", "elsewhere")
    with Embedded.from_settings(tmp_path / "shardlog.toml") as engine:
        assert isinstance(engine.send(ADA, Open(owner="Ada")), CommandAccepted)
        refused = engine.send(ADA, Open(owner="A" * 500))
    assert isinstance(refused, CommandRejected)
    assert (refused.code, engine.shards) == ("too_large", 3)
    assert (tmp_path / "elsewhere" / "shard-0002.sqlite").exists()


def test_a_window_holds_as_many_ids_as_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "shardlog.toml").write_text(
        '[application]\ndomains = ["domain.banking:banking"]\n[executor]\ndedupe_ids_max = 1\n'
    )
    with Embedded.from_settings(tmp_path / "shardlog.toml") as engine:
        first = engine.send(ADA, Open(owner="Ada"), command_id="1")
        second = engine.send(ADA, Deposit(amount=1), command_id="2")
        repeat = engine.send(ADA, Open(owner="Ada"), command_id="1")
    assert isinstance(first, CommandAccepted)
    assert isinstance(second, CommandUnavailable)
    assert "dedupe_ids_max" in second.message
    assert repeat == first
