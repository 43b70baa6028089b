"""Which databases the query API opens, and as whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.errors import ConfigurationError
from shardlog.projector.settings import ProjectionSettings
from shardlog.query.settings import QuerySettings
from shardlog.wiring.querying import open_reader
from shardlog.wiring.settings import Settings
from shardlog.wiring.stores import ProjectionDatabase


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("mysql://a@127.0.0.1:1/b", "reads SQLite and PostgreSQL"),
        ("postgresql://a@127.0.0.1:1/b", "[query] user is empty"),
    ],
)
def test_a_database_that_it_cannot_read_as_it_must_is_refused(database: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_reader(Settings(projections=ProjectionSettings(database=database)))
    assert why in str(error.value)


@pytest.mark.parametrize("database", ["", "mysql://a@127.0.0.1:1/b"])
def test_rights_are_given_in_postgresql_only(database: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="rights are given in PostgreSQL only"):
        ProjectionDatabase(tmp_path, ProjectionSettings(database=database)).grant_reads("reader")


def test_a_password_is_in_no_text_of_the_settings() -> None:
    settings = QuerySettings(user="reader", password="secret")
    assert "secret" not in repr(settings)
    with pytest.raises(ConfigurationError, match="both set"):
        QuerySettings(password="secret", password_file="file")
    with pytest.raises(ConfigurationError, match="must not be above rows_max"):
        QuerySettings(page_rows=11, rows_max=10)
