"""Settings: what is right is taken, what is wrong is named with its place and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.errors import ConfigurationError
from shardlog.wiring.loading import load_application
from shardlog.wiring.settings import ApplicationSettings, load_settings

ROOT = Path(__file__).parents[3]
APPLICATION = '[application]\ndomains = ["domain.banking:banking"]\n'


def written(directory: Path, text: str) -> Path:
    """A settings file with this text."""
    path = directory / "shardlog.toml"
    path.write_text(text)
    return path


def test_the_repository_s_own_settings_name_an_application_that_holds_together() -> None:
    settings = load_settings(ROOT / "shardlog.toml")
    application = load_application(settings.application)
    assert set(application.aggregates) == {"account", "aircraft", "flight"}
    assert set(application.projections) == {"balances", "flights"}
    assert (settings.journal.shards, settings.executor.frame_commands_max) == (4, 200)


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, APPLICATION))
    assert settings.journal.shards == 4
    assert settings.executor.dedupe_window_ms == 60_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (APPLICATION + "[executer]\n", r"\[executer\] is no section; did you mean 'executor'\?"),
        (
            APPLICATION + "[executor]\nframe_comands_max = 1\n",
            r"no setting 'frame_comands_max'; did you mean 'frame_commands_max'\?",
        ),
        (APPLICATION + '[journal]\nshards = "four"\n', r"Expected `int`, got `str` - at `\$.journal.shards`"),
        (APPLICATION + "[journal]\nshards = 0\n", r"Expected `int` >= 1 - at `\$.journal.shards`"),
        (APPLICATION + "[executor]\nframe_commands_max = 0\n", r"executor.*frame_commands_max"),
        ('[application]\ndomains = ["domain.banking"]\n', r"\$.application.domains"),
        ("[application\n", "is not TOML"),
        ("", "missing required field `application`"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_settings(written(tmp_path, text))
    assert "shardlog.toml" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"other\.toml cannot be read"):
        load_settings(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.at_all:banking", "there is no module 'nowhere'"),
        ("domain.banking:bonking", "which is nothing; it must be a Domain"),
        ("domain.banking:account", "which is a Aggregate; it must be a Domain"),
    ],
)
def test_a_reference_to_nothing_is_named(reference: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_application(ApplicationSettings(domains=(reference,)))
