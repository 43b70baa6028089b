"""Settings: what is right is taken, what is wrong is named with its place and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from shardlog.errors import ConfigurationError
from shardlog.executor.limits import Limits
from shardlog.testing.services import cache
from shardlog.testing.services.kafka import found as kafka_found
from shardlog.testing.services.mariadb import found as mariadb_found
from shardlog.testing.services.postgresql import found as postgresql_found
from shardlog.wiring.loading import load_application
from shardlog.wiring.setting_sources import load, variable
from shardlog.wiring.settings import SECTIONS, ApplicationSettings, Settings, load_settings

ROOT = Path(__file__).parents[3]
APPLICATION = '[application]\ndomains = ["domain.banking:banking"]\n'


def written(directory: Path, text: str) -> Path:
    """A settings file with this text."""
    path = directory / "shardlog.toml"
    path.write_text(text)
    return path


def refused(text: str, directory: Path, environment: Mapping[str, str] | None = None) -> str:
    """What is said about these settings."""
    with pytest.raises(ConfigurationError) as error:
        load(written(directory, text), environment or {})
    return str(error.value)


def test_the_repository_s_own_settings_name_an_application_that_holds_together() -> None:
    settings = load_settings(ROOT / "shardlog.toml")
    application = load_application(settings.application)
    assert set(application.aggregates) == {"account", "aircraft", "flight"}
    assert set(application.projections) == {"balances", "flights"}
    assert (settings.journal.shards, settings.executor.frame_commands_max) == (4, 200)


# -- where a value comes from ------------------------------------------------------------------------------------------
def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, APPLICATION), {})
    assert loaded.settings.executor == Limits()
    assert str(loaded.origins["executor", "dedupe_window_ms"]) == "default"


def test_the_environment_counts_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    path = written(tmp_path, APPLICATION + "[executor]\nframe_commands_max = 7\nqueue_commands_max = 8\n")
    loaded = load(path, {"SHARDLOG_EXECUTOR_FRAME_COMMANDS_MAX": "1_000"})
    executor = loaded.settings.executor
    assert (executor.frame_commands_max, executor.queue_commands_max) == (1_000, 8)
    assert str(loaded.origins["executor", "queue_commands_max"]) == str(path)
    assert str(loaded.origins["executor", "frame_commands_max"]) == "environment SHARDLOG_EXECUTOR_FRAME_COMMANDS_MAX"


def test_a_variable_may_be_a_list_a_text_a_fraction_or_a_boolean(tmp_path: Path) -> None:
    environment = {
        "SHARDLOG_APPLICATION_DOMAINS": "domain.banking:banking, domain.flights:flights",
        "SHARDLOG_PROJECTOR_WRITE_DEADLINE_S": "0.5",
        "SHARDLOG_GATEWAY_ALLOW_REMOTE": "true",
        "SHARDLOG_JOURNAL_DIRECTORY": "/srv/0123",
    }
    found = load(written(tmp_path, ""), environment).settings
    assert found.application.domains == ("domain.banking:banking", "domain.flights:flights")
    assert (found.projector.write_deadline_s, found.gateway.allow_remote) == (0.5, True)
    assert found.directory == Path("/srv/0123")


@pytest.mark.parametrize(
    "name",
    [
        cache.CACHE_VARIABLE,
        *(found.ADDRESS_VARIABLE for found in (kafka_found, mariadb_found, postgresql_found)),
    ],
)
def test_what_names_a_server_for_tests_is_taken_for_no_setting(tmp_path: Path, name: str) -> None:
    assert load(written(tmp_path, ""), {name: "any"}).settings == load(written(tmp_path, ""), {}).settings


def test_the_file_is_found_in_the_current_folder_or_named_by_a_variable_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).settings.journal.shards == 4
    other = tmp_path / "other"
    other.mkdir()
    named = written(other, "[journal]\nshards = 6\n")
    written(tmp_path, "[journal]\nshards = 5\n")
    assert load(None, {}).settings.journal.shards == 5
    assert load(None, {"SHARDLOG_SETTINGS": str(named)}).settings.journal.shards == 6


def test_a_relative_directory_begins_where_the_file_is(tmp_path: Path) -> None:
    assert load(written(tmp_path, ""), {}).settings.directory == tmp_path / "var/shardlog"


def test_a_section_is_a_struct_of_the_same_name() -> None:
    assert {name: type(getattr(Settings(), name)) for name in Settings.__struct_fields__} == SECTIONS


def test_no_two_settings_have_one_variable() -> None:
    names = [variable(section, name) for section, struct in SECTIONS.items() for name in struct.__struct_fields__]
    assert len(names) == len(set(names))


# -- what is wrong -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[executer]\n",
            "shardlog.toml: [executer] is no section; did you mean 'executor'?; there are: [application], ",
        ),
        ("executor = 3\n", "shardlog.toml: executor is 3, and must be a section: write [executor] above its settings"),
        (
            "[executor]\nframe_comands_max = 1\n",
            "[executor] has no setting 'frame_comands_max'; did you mean 'frame_commands_max'?; it has: ",
        ),
        ("[executor]\nbatch_frames_max = 1\n", "has no setting 'batch_frames_max'; it stands in [projector]; it has: "),
        (
            '[journal]\nshards = "four"\n',
            "shardlog.toml, [journal] shards is 'four', and must be an integer, 1 to 10_000",
        ),
        ("[journal]\nshards = 0\n", "shardlog.toml, [journal] shards is 0, and must be an integer, 1 to 10_000"),
        ("[journal]\nshards = true\n", "[journal] shards is true, and must be an integer, 1 to 10_000"),
        ("[journal]\nshards = 4.0\n", "[journal] shards is 4.0, and must be an integer, 1 to 10_000"),
        ('[journal]\ndirectory = ""\n', "[journal] directory is '', and must be a text that is not empty"),
        ("[executor]\nframe_commands_max = 0\n", "frame_commands_max is 0, and must be an integer, 1 to 100_000"),
        ("[projector]\nwrite_deadline_s = inf\n", "write_deadline_s is inf, and must be a finite number above 0"),
        (
            '[recovery]\nvalidate_on_start = "sometimes"\n',
            "validate_on_start is 'sometimes', and must be 'always', 'changed' or 'never'",
        ),
        (
            '[application]\ndomains = ["domain.banking"]\n',
            "[application] domains is ['domain.banking'], and must be a list of references, each 'module:name'",
        ),
        (
            "[executor]\nback_off_min_ms = 9_000\n",
            "shardlog.toml: executor setting back_off_min_ms is 9000, and must not exceed back_off_max_ms (5000)",
        ),
        (
            "[executor]\nframe_bytes_max = 1000\ncommand_bytes_max = 200_000\n",
            "must hold a command and its refusal: raise frame_bytes_max to 417408",
        ),
        ("[executor]\nframe_bytes_max = 417_407\ncommand_bytes_max = 200_000\n", "lower it to 199999, or raise"),
        ("[application\n", "is not TOML"),
    ],
)
def test_a_wrong_setting_of_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    said = refused(text, tmp_path)
    assert message in said
    assert "shardlog.toml" in said


def test_the_least_frame_that_is_named_is_taken_with_the_command(tmp_path: Path) -> None:
    path = written(tmp_path, "[executor]\nframe_bytes_max = 417_408\ncommand_bytes_max = 200_000\n")
    assert load(path, {}).settings.executor.command_bytes_max == 200_000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "SHARDLOG_EXECUTOR_FRAME_COMMAND_MAX",
            "5",
            "environment SHARDLOG_EXECUTOR_FRAME_COMMAND_MAX: there is no such setting; did you mean "
            "'SHARDLOG_EXECUTOR_FRAME_COMMANDS_MAX'?; `shardlog config` lists them all",
        ),
        (
            "SHARDLOG_JOURNAL_SHARDS",
            "",
            "environment SHARDLOG_JOURNAL_SHARDS is '', and must be an integer, 1 to 10_000",
        ),
        ("SHARDLOG_JOURNAL_SHARDS", "4.5", "is '4.5', and must be an integer, 1 to 10_000"),
        ("SHARDLOG_JOURNAL_SHARDS", "4_0", "is '4_0', and must be an integer, 1 to 10_000"),
        ("SHARDLOG_JOURNAL_SHARDS", "1000_000", "is '1000_000', and must be an integer, 1 to 10_000"),
        ("SHARDLOG_GATEWAY_ALLOW_REMOTE", "maybe", "is 'maybe', and must be true or false"),
        ("SHARDLOG_APPLICATION_DOMAINS", "banking", "and must be a list of references, each 'module:name'"),
        (
            "SHARDLOG_EXECUTOR_BACK_OFF_MIN_MS",
            "9000",
            "environment SHARDLOG_EXECUTOR_BACK_OFF_MIN_MS: executor setting back_off_min_ms is 9000, and must not",
        ),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str, message: str) -> None:
    assert message in refused("", tmp_path, {name: value})


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    said = refused("[journal]\nshards = 0\n[executor]\nnesting_max = 501\n", tmp_path, {"SHARDLOG_GATEWAY_PORT": "x"})
    assert said.splitlines()[0] == "3 settings are wrong:"
    assert [line.split(" is ")[0].rpartition(" ")[2] for line in said.splitlines()[1:]] == [
        "shards",
        "nesting_max",
        "SHARDLOG_GATEWAY_PORT",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"other\.toml cannot be read"):
        load_settings(tmp_path / "other.toml")


# -- what the settings name --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.at_all:banking", "there is no module 'nowhere'"),
        ("domain.banking:bonking", r"which is nothing; did you mean 'banking'\?; it must be a Domain"),
        ("domain.banking:account", "which is a Aggregate; it must be a Domain"),
        ("raises_at_import:banking", r"importing it raised ZeroDivisionError: .*raises_at_import\.py:1\)"),
    ],
)
def test_a_reference_to_nothing_is_named(
    reference: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises_at_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        load_application(ApplicationSettings(domains=(reference,)))


def test_an_application_without_domains_is_refused_where_one_is_needed() -> None:
    with pytest.raises(ConfigurationError, match=r"\[application\] domains names no domain"):
        load_application(ApplicationSettings())
