"""A value of one of several types: which branch of an Avro union it stands in, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shardlog.avro.shapes import DOUBLE, LONG, NULL, TIMESTAMP, TIMESTAMP_TEXT, Shape
from shardlog.errors import DomainError


def union(members: Sequence[Shape], where: str) -> Shape:
    """One of these. A branch is written by name (fastavro's tuple notation): fastavro's own choice takes bytes for an
    array, and a whole number that is too large for a float. Raises DomainError for what Avro cannot tell apart."""
    shapes = _distinct(members, where)
    choice = _Choice(shapes, where)
    schemas = [shape.schema for shape in shapes]
    takes = tuple(dict.fromkeys(kind for shape in shapes for kind in shape.takes))
    return Shape(schemas, "union", takes, choice.to_avro, choice.from_avro)


def with_first(shape: Shape, branch: str) -> list[Any]:
    """The union's schemas with that branch in front: Avro takes a default to be of the first."""
    assert isinstance(shape.schema, list)
    return sorted(shape.schema, key=lambda schema: branch_of(schema) != branch)


def branch_of(schema: Any) -> str:
    """What a union calls this branch. Names of inner types are full names in generated schemas."""
    if isinstance(schema, str):
        return schema
    if schema["type"] in ("record", "enum"):
        return f"{schema['namespace']}.{schema['name']}"
    return str(schema["type"])


def _distinct(members: Sequence[Shape], where: str) -> list[Shape]:
    has_numbers = any(shape.branch == LONG.branch and shape is not TIMESTAMP for shape in members)
    found: dict[str, Shape] = {}
    for member in members:
        shape = TIMESTAMP_TEXT if has_numbers and member is TIMESTAMP else member
        known = found.setdefault(shape.branch, shape)
        if known is not shape and known.schema != shape.schema:
            raise DomainError(
                f"{where} is a union of two types that are both {shape.branch} in Avro: {known.schema} and "
                f"{shape.schema}. Put one of them into a struct."
            )
    # null in front, as everybody writes it, and whole numbers before what a reader may promote them to
    return sorted(found.values(), key=lambda shape: 0 if shape is NULL else 2 if shape is DOUBLE else 1)


class _Choice:
    """How the branches of one union are told apart."""

    def __init__(self, shapes: Sequence[Shape], where: str) -> None:
        self._where = where
        self._by_branch: Mapping[str, Shape] = {shape.branch: shape for shape in shapes}
        self._by_tag: Mapping[Any, Shape] = {shape.tag: shape for shape in shapes if shape.tag is not None}
        self._tag_field = next((field for field, _ in self._by_tag), None)
        self._by_type: dict[type, Shape] = {}
        self._by_type_read: dict[type, Shape] = {}
        for shape in sorted(shapes, key=lambda shape: shape is DOUBLE):  # which takes whole numbers where no long does
            for kind in shape.takes:
                self._by_type.setdefault(kind, shape)
            for kind in shape.reads or shape.takes:
                self._by_type_read.setdefault(kind, shape)

    def to_avro(self, value: Any) -> Any:
        shape = self._tagged(value) or self._by_type.get(type(value)) or self._instance(value)
        return (shape.branch, value if shape.to_avro is None else shape.to_avro(value))

    def from_avro(self, value: Any) -> Any:
        if type(value) is tuple:
            shape, value = self._by_branch[value[0]], value[1]
        else:
            shape = self._by_type_read[type(value)]
        return value if shape.from_avro is None else shape.from_avro(value)

    def _tagged(self, value: Any) -> Shape | None:
        if not self._by_tag:
            return None
        if type(value) is dict and self._tag_field is not None:
            return self._by_tag.get((self._tag_field, value.get(self._tag_field)))
        if type(value) in (list, tuple) and self._tag_field is None and value:
            return self._by_tag.get((None, value[0]))
        return None

    def _instance(self, value: object) -> Shape:
        """For values of classes derived from those that are declared."""
        for kind, shape in self._by_type.items():
            if isinstance(value, kind) and not (kind is date and isinstance(value, datetime)):
                return shape
        raise TypeError(f"{self._where}: a {type(value).__name__} is none of {', '.join(self._by_branch)}")
