"""Files of named queries: what stands in their comments, and what is wrong with file and line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shardlog.errors import ConfigurationError
from shardlog.ports.reading import QueryParameter
from shardlog.query.named import named_queries, read_query, values_of
from shardlog.query.problems import RequestRefused
from tests.docs.stranger import ROOT

WHOLE = """
-- What it is for,
-- in two lines.

-- :carrier text            Which carrier.
-- :month integer = 1       From which month.
-- :label text = 'it''s = a' A label
-- :at time = null
SELECT CAST(:carrier AS text), n::text, '12:30', ':' || :label, \\:no  -- a comment
FROM t WHERE month >= :month AND at = :at;
"""


def written(folder: Path, text: str, name: str = "given.sql") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_file_is_a_description_parameters_and_a_statement(tmp_path: Path) -> None:
    query = read_query(written(tmp_path, WHOLE))
    assert (query.name, query.description, query.line) == ("given", "What it is for, in two lines.", 9)
    assert query.parameters == (
        QueryParameter("carrier", "text", msgspec.UNSET, "Which carrier."),
        QueryParameter("month", "integer", 1, "From which month."),
        QueryParameter("label", "text", "it's = a", "A label"),
        QueryParameter("at", "time", None, ""),
    )
    assert query.statement.startswith("SELECT CAST(:carrier AS text)")
    assert query.statement.endswith("at = :at")


def test_values_are_given_or_by_default(tmp_path: Path) -> None:
    query = read_query(written(tmp_path, WHOLE))
    assert values_of(query, {"carrier": ["AA"], "month": ["3"], "format": ["csv"]}) == {
        "carrier": "AA", "month": 3, "label": "it's = a", "at": None,
    }  # fmt: skip
    for parameters, why in (({}, "carrier is missing: Which carrier."), ({"carrier": ["a", "b"]}, "given 2 times"),
                            ({"carrier": ["a"], "month": ["x"]}, "month='x', and must be an integer"),
                            ({"carrier": ["a"], "mnth": ["1"]}, "did you mean 'month'?")):  # fmt: skip
        with pytest.raises(RequestRefused, match="invalid_query") as refused:
            values_of(query, parameters)
        assert why in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no statement"),
        ("-- only words", "has no statement"),
        ("-- :a\nSELECT :a", "line 1: '-- :a' declares no parameter"),
        ("-- x\n-- :a json\nSELECT :a", "line 2: parameter 'a' is of kind 'json', and there are: boolean"),
        ("-- :a text\n-- :a text\nSELECT :a", "line 2: parameter 'a' is declared twice"),
        ("-- :wait_ms integer\nSELECT :wait_ms", "a name that every query has of its own"),
        ("-- :a date = soon\nSELECT :a", "the default of parameter 'a' is soon, and must be a date"),
        ("SELECT 1,\n\n :b", "line 3: :b is no parameter: declare it above"),
        ("-- :a text\nSELECT\n:a::integer", "line 3: :a:: is not read as a cast: write CAST(:a AS ...)"),
        ("-- :a text\nSELECT 1", "does not use parameter 'a'"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_query(written(tmp_path, text))
    assert str(tmp_path / "given.sql") in str(error.value)
    assert why in str(error.value)


@pytest.mark.parametrize("name", ["Given.sql", "1.sql", "a b.sql", "a.b.sql", f"{'a' * 64}.sql"])
def test_a_file_s_name_is_part_of_an_address(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is called NAME\.sql"):
        read_query(written(tmp_path, "SELECT 1", name))


def test_a_folder_s_queries_are_those_that_end_in_sql_and_none_where_there_is_no_folder(tmp_path: Path) -> None:
    written(tmp_path, "SELECT 1", "a.sql")
    written(tmp_path, "SELECT 1", "b.txt")
    assert list(named_queries(tmp_path)) == ["a"]
    assert named_queries(tmp_path / "none") == {}


def test_the_reference_application_s_queries_say_what_they_are_for() -> None:
    queries = named_queries(ROOT / "projections" / "queries")
    assert list(queries) == ["busiest-aircraft", "late-carriers", "ledger-accounts"]
    assert all(query.description and all(p.description for p in query.parameters) for query in queries.values())
