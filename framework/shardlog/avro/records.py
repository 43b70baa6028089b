"""Structs, named tuples and the like as Avro records: their fields, and the way of a value there and back."""

from __future__ import annotations

import inspect as python_inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from shardlog.avro.binary import LEFT_OUT
from shardlog.avro.defaults import Inexpressible, default_json
from shardlog.avro.shapes import AVRO_TYPES, Convert, JsonSchema, Shape
from shardlog.avro.unions import with_first
from shardlog.codec.json import encode_hook


class FieldShape(msgspec.Struct, frozen=True):
    """One field. key: among the builtins, its name or its place. default: gives the builtins of one, None for none."""

    key: str | int
    name: str
    shape: Shape
    default: Callable[[], Any] | None = None
    doc: str | None = None


def record_schema(
    name: str, namespace: str, fields: Sequence[FieldShape], named: Mapping[str, Any], doc: str | None = None
) -> dict[str, Any]:
    """The record in Avro, with the defaults and documentation of its fields."""
    schema: dict[str, Any] = {"type": "record", "name": name, "namespace": namespace}
    if doc:
        schema["doc"] = doc
    schema["fields"] = [_field_schema(field, named) for field in fields]
    return schema


def _field_schema(field: FieldShape, named: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"name": field.name, "type": field.shape.schema}
    if field.doc:
        schema["doc"] = field.doc
    if field.default is not None:
        value = field.default()
        value = value if field.shape.to_avro is None else field.shape.to_avro(value)
        kind: JsonSchema = with_first(field.shape, value[0]) if field.shape.branch == "union" else field.shape.schema
        try:
            schema["default"] = default_json(kind, value, named)
            schema["type"] = kind
        except Inexpressible:
            pass  # said by the schema: it has no default, so that readers need the field
    return schema


def to_record(fields: Sequence[FieldShape]) -> Convert | None:
    """Builtins -> what fastavro writes; None where they are the same."""
    if all(f.shape.to_avro is None and f.key == f.name and f.default is None for f in fields):
        return None

    def convert(value: Any) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for field in fields:
            found = _found(value, field)
            record[field.name] = found if field.shape.to_avro is None else field.shape.to_avro(found)
        return record

    return convert


def _found(value: Any, field: FieldShape) -> Any:
    """The field's value; its default where the struct leaves it out (`omit_defaults`)."""
    is_there = field.key < len(value) if isinstance(field.key, int) else field.key in value
    return value[field.key] if is_there or field.default is None else field.default()


def from_record(
    fields: Sequence[FieldShape], is_array: bool, tag: tuple[str | None, str | int] | None
) -> Convert | None:
    """What fastavro reads -> builtins; None where they are the same. is_array: the builtins are a list."""
    has_defaults = any(field.default is not None for field in fields)
    if not (is_array or tag or has_defaults) and all(f.key == f.name and f.shape.from_avro is None for f in fields):
        return None

    def to_dict(record: dict[str, Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {field.key: _read(record[field.name], field) for field in fields}
        if tag is not None:
            found[tag[0]] = tag[1]
        return found

    def to_list(record: dict[str, Any]) -> list[Any]:
        head = [] if tag is None else [tag[1]]
        return head + [_read(record[field.name], field) for field in fields]

    return to_list if is_array else to_dict


def _read(value: Any, field: FieldShape) -> Any:
    if value is LEFT_OUT:
        assert field.default is not None
        return field.default()
    return value if field.shape.from_avro is None else field.shape.from_avro(value)


def default_of(field: inspect.Field) -> Callable[[], Any] | None:
    """What makes the builtins of a field's default; None where it has none, or another one each time."""
    if field.default is not msgspec.NODEFAULT:
        value = field.default
        return lambda: builtins_of(value)
    if field.default_factory is msgspec.NODEFAULT:
        return None
    factory: Callable[[], Any] = field.default_factory
    return (lambda: builtins_of(factory())) if builtins_of(factory()) == builtins_of(factory()) else None


def builtins_of(value: object) -> Any:
    """A value of a message, or a whole message, as shapes take it. Sets and mappings come in no certain order."""
    return msgspec.to_builtins(value, builtin_types=AVRO_TYPES, enc_hook=encode_hook)


def documentation(cls: Any) -> str | None:
    """The class's own docstring; what it inherits, and what enums are given by Python, is none."""
    text = vars(cls).get("__doc__") if isinstance(cls, type) else None
    return python_inspect.cleandoc(text) if text else None
