"""Whether a reader can follow: as Avro's reference implementation says, and in words where it cannot."""

from __future__ import annotations

import json
import warnings
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from hypothesis import given, settings
from hypothesis import strategies as st

from shardlog.avro.canonical import Schema
from shardlog.avro.compatibility import Mismatch, mismatches

N = {"type": "record", "name": "N", "namespace": "a", "fields": [{"name": "x", "type": "long"}]}
RED = {"type": "enum", "name": "E", "namespace": "a", "symbols": ["RED"]}
BLUE = {"type": "enum", "name": "E", "namespace": "a", "symbols": ["RED", "BLUE"]}
PLAIN: list[Any] = ["null", "boolean", "int", "long", "double", "string", "bytes"]
TYPES: list[Any] = [
    *PLAIN,
    N,
    {**N, "fields": [{"name": "x", "type": "long"}, {"name": "y", "type": "long", "default": 0}]},
    {**N, "fields": [{"name": "y", "type": "long"}]},
    {**N, "name": "M"},
    RED,
    BLUE,
    {**RED, "name": "F"},
    {"type": "array", "items": "long"},
    {"type": "array", "items": ["null", "string"]},
    {"type": "map", "values": "long"},
    {"type": "map", "values": "double"},
    ["null", "long"],
    ["null", "string"],
    ["long", "string", "null"],
    ["null", N],
    ["null", N, {**N, "name": "M"}],
    ["null", {"type": "array", "items": "long"}],
    ["null", RED],
    ["null", BLUE],
]
DEFAULTS = {"null": None, "boolean": True, "int": 1, "long": 1, "double": 1.0, "string": "", "bytes": ""}
fields = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(TYPES), st.booleans())
records = st.lists(fields, max_size=3, unique_by=lambda field: field[0])


def record(*fields: tuple[str, Any, bool]) -> Schema:
    """A record whose named types are written out once."""
    seen: set[str] = set()

    def once(kind: Any) -> Any:
        if isinstance(kind, list):
            return [once(branch) for branch in kind]
        if isinstance(kind, dict) and "name" in kind:
            if kind["name"] in seen:
                return f"a.{kind['name']}"
            seen.add(kind["name"])
        return kind

    listed = []
    for name, kind, has_default in fields:
        field = {"name": name, "type": once(kind)}
        first = kind[0] if isinstance(kind, list) else kind
        if has_default and isinstance(first, str):
            field["default"] = DEFAULTS[first]
        listed.append(field)
    return {"type": "record", "name": "R", "namespace": "a", "fields": listed}


def is_readable(reader: Schema, writer: Schema) -> bool:
    """By the reference implementation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = [avro.schema.parse(json.dumps(schema)) for schema in (reader, writer)]
    found = ReaderWriterCompatibilityChecker().get_compatibility(*parsed)
    return found.compatibility is SchemaCompatibilityType.compatible


@settings(max_examples=600, deadline=None)
@given(records, records)
def test_the_verdict_is_that_of_the_reference_implementation(
    read: list[tuple[str, Any, bool]], written: list[tuple[str, Any, bool]]
) -> None:
    reader, writer = record(*read), record(*written)
    assert (mismatches(reader, writer) == []) is is_readable(reader, writer)


@pytest.mark.parametrize("written", TYPES)
@pytest.mark.parametrize("read", TYPES)
def test_every_pair_of_types_is_judged_as_by_the_reference_implementation(read: Any, written: Any) -> None:
    reader, writer = record(("a", read, False)), record(("a", written, False))
    assert (mismatches(reader, writer) == []) is is_readable(reader, writer)


def formed(kind: str, form: str, **more: object) -> dict[str, object]:
    return {"type": kind, "shardlog": {"form": form, **more}}


@pytest.mark.parametrize(
    ("read", "written", "problem"),
    [
        ("string", formed("string", "decimal"), "meaning"),
        (formed("string", "decimal"), "string", "meaning"),
        ("long", {"type": "long", "logicalType": "timestamp-micros"}, "meaning"),
        ({"type": "long", "logicalType": "timestamp-micros"}, {"type": "int", "logicalType": "date"}, "meaning"),
        (formed("string", "values", values=["a"]), formed("string", "values", values=["a", "b"]), "values"),
        (formed("string", "values", values=["a"]), "string", "meaning"),
        (["null", RED], ["null", BLUE], "values"),
        ("string", "long", "type"),
        (["null", "long"], ["null", "string"], "type"),
    ],
)
def test_the_same_bytes_may_not_mean_something_else(read: Any, written: Any, problem: str) -> None:
    found = mismatches(record(("a", read, False)), record(("a", written, False)))
    assert [(mismatch.place, mismatch.problem) for mismatch in found] == [("a", problem)]


def test_fewer_values_than_a_reader_knows_are_read() -> None:
    read, written = formed("string", "values", values=["a", "b"]), formed("string", "values", values=["a"])
    assert mismatches(record(("a", read, False)), record(("a", written, False))) == []


def test_the_place_of_a_mismatch_leads_through_lists_and_structs() -> None:
    inner = {**N, "fields": [{"name": "x", "type": "string"}]}
    reader = record(("a", {"type": "array", "items": N}, False))
    writer = record(("a", {"type": "array", "items": inner}, False))
    assert mismatches(reader, writer) == [Mismatch("a[].x", "type", "string, read as long")]


def test_a_recursive_record_is_compared_once() -> None:
    def tree(value: str) -> Schema:
        fields = [{"name": "value", "type": value}, {"name": "next", "type": ["null", "a.Tree"]}]
        return {"type": "record", "name": "Tree", "namespace": "a", "fields": fields}

    assert mismatches(tree("long"), tree("long")) == []
    assert mismatches(tree("long"), tree("string")) == [Mismatch("value", "type", "string, read as long")]
