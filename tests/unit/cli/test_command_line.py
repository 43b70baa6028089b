"""The command line as a whole: what it lists, how it fails, how it ends."""

from __future__ import annotations

import errno
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from shardlog import errors
from shardlog.cli import admin, projections, schema, serve
from shardlog.cli import main as main_module
from shardlog.cli.exit_codes import ExitCode, exit_code_of
from shardlog.cli.main import COMMANDS, main, shardlog
from shardlog.errors import Corrupt, JournalHeld, ReplayDiffers, ShardlogError

GROUPS = {
    "serve": serve.COMMANDS,
    "admin": admin.COMMANDS,
    "projections": projections.COMMANDS,
    "schema": schema.COMMANDS,
}
ABOUT = {
    **{name: about for name, about in COMMANDS.items() if name not in GROUPS},
    **{f"{group} {name}": about for group, commands in GROUPS.items() for name, about in commands.items()},
}
"""Every command by its words, those of groups too."""
each_command = pytest.mark.parametrize("name", ABOUT)
SHARDLOG = [sys.executable, "-m", "shardlog.cli.main"]
WITHOUT_JSON = {"dev", "new", "completion", *(f"serve {role}" for role in serve.COMMANDS)}
"""dev and serve say lines of JSON anyway; new and completion print nothing that a program reads."""


def command_of(name: str) -> click.Command:
    found: click.Command = shardlog
    for word in name.split():
        assert isinstance(found, click.Group)
        within = found.get_command(click.Context(found), word)
        assert within is not None
        found = within
    return found


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """What `shardlog config` raises instead of doing its work."""
    raised: list[BaseException] = []

    def command(**_options: object) -> None:
        raise raised[0]

    monkeypatch.setattr(command_of("config"), "callback", command)
    before = signal.getsignal(signal.SIGTERM)
    yield raised
    signal.signal(signal.SIGTERM, before)


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert isinstance(exited.value.code, int)
    return exited.value.code


# -- help and completion -----------------------------------------------------------------------------------------------
@each_command
def test_a_command_s_help_begins_as_the_list_says(name: str) -> None:
    about = command_of(name).help
    assert about is not None
    assert ABOUT[name].split()[0] == about.split()[0]


@each_command
def test_every_option_of_a_command_has_help(name: str) -> None:
    for parameter in command_of(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@each_command
def test_a_program_can_read_what_a_command_prints(name: str) -> None:
    options = {option for parameter in command_of(name).params for option in parameter.opts}
    assert ("--json" in options) is (name not in WITHOUT_JSON)


def test_listing_the_commands_loads_none_of_them() -> None:
    program = (
        "import sys\nfrom shardlog.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('sqlalchemy', 'rich', 'uvicorn')\n"
        "             or name.startswith(('shardlog.wiring', 'shardlog.adapters', 'shardlog.executor'))))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
    assert all(name in ran.stdout for name in COMMANDS)


def test_a_retry_prints_nothing_among_a_command_s_answers() -> None:
    program = (
        "import stamina\nfrom shardlog.cli import main\n"
        "def run(_):\n"
        "    for attempt in stamina.retry_context(on=ValueError, attempts=2, wait_initial=0, wait_jitter=0):\n"
        "        with attempt:\n            if attempt.num == 1: raise ValueError('once')\n"
        "    print('answer')\n    return 0\n"
        "main._run = run\nmain.main([])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "answer\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sta", ["status"]),
        ("s", ["serve", "send", "stream", "status", "snapshot", "schema"]),
        ("schema e", ["export"]),
        ("serve e", ["executor"]),
        ("admin a", ["assign", "accept-input"]),
    ],
)
def test_a_shell_is_offered_the_commands_that_begin_so(typed: str, offered: list[str]) -> None:
    environment = {
        **os.environ,
        "_SHARDLOG_COMPLETE": "bash_complete",
        "COMP_WORDS": f"shardlog {typed}",
        "COMP_CWORD": str(len(typed.split())),
    }
    ran = subprocess.run(SHARDLOG, capture_output=True, text=True, env=environment, check=False)
    assert [line.partition(",")[2] for line in ran.stdout.splitlines()] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("completion", shell) == ExitCode.OK
    assert "_SHARDLOG_COMPLETE" in capsys.readouterr().out


# -- errors and exit codes ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["statsu"], "there is no command 'statsu'; did you mean 'status'?; there are: dev, "),
        (["status", "--jsn"], "--jsn"),
        (["new", "Shop"], "'Shop' is no name for a domain"),
        (["new", "class"], "'class' is no name for a domain"),
        (["new", "tests"], "'tests' is a name that the repository itself needs"),
        (["new", "messages"], "'messages' is a name that the repository itself needs"),
        (["new", "stock"], "'stock' is a name that the repository itself needs"),
        (["new", "given"], "'given' is a name that the repository itself needs"),
        (["new", "json"], "'json' is a name that Python itself has"),
        (["new", "list"], "'list' is a name that Python itself has"),
        (["new", "msgspec"], "'msgspec' is a package that shardlog needs"),
        (["new", "shop_"], "'shop_' is no name for a domain"),
        (["inspect", "one"], "'one' is not a valid integer"),
    ],
)
def test_a_wrong_command_line_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*arguments) == ExitCode.USAGE
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_an_error_is_one_line_and_a_code(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(Corrupt(2, 17, "the checksum does not hold"))
    assert ended("config") == ExitCode.DAMAGED
    assert capsys.readouterr().err == f"shardlog: {failing[0]}\n"


def test_an_error_that_nobody_expected_is_one_line_too(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("division by zero"))
    assert ended("config") == ExitCode.FAILED
    said = "shardlog: unexpected ZeroDivisionError: division by zero (shardlog --traceback shows where)\n"
    assert capsys.readouterr().err == said


def test_where_an_error_comes_from_is_shown_on_demand(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("division by zero"))
    assert ended("--traceback", "config") == ExitCode.FAILED
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (main_module.Terminated(), ExitCode.TERMINATED),
        (JournalHeld("process 7 serves this journal"), ExitCode.TRY_LATER),
        (ReplayDiffers(0, "item/1", "it is another"), ExitCode.DIFFERS),
        (PermissionError(errno.EACCES, "Permission denied", "/srv"), ExitCode.FAILED),
    ],
)
def test_each_end_has_its_code(raised: BaseException, code: ExitCode, failing: list[BaseException]) -> None:
    failing.append(raised)
    assert ended("config") == code


def test_every_error_of_the_journal_is_damage_or_says_otherwise() -> None:
    journal_errors = [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, errors.JournalError)]
    others = {e.__name__ for e in journal_errors if exit_code_of(e.__new__(e)) != ExitCode.DAMAGED}
    assert others == {"AppendFailed", "JournalUnavailable", "ReplayDiffers", "ReplayFailed"}


def test_an_error_without_a_code_of_its_own_has_failed() -> None:
    assert exit_code_of(ShardlogError("something")) == ExitCode.FAILED


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m shardlog.cli.main config --json | true; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert ran.stdout.strip() in ("0", str(ExitCode.PIPE_CLOSED.value))  # 0: all was written before `true` ended
    assert ran.stderr == ""
