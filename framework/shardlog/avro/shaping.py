"""From a message class to its Avro schema, field type by field type."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from shardlog.avro import shapes
from shardlog.avro.definitions import defined_where_first
from shardlog.avro.names import MessageName, check_avro_name, is_avro_name
from shardlog.avro.personals import personals_in
from shardlog.avro.records import (
    FieldShape,
    default_of,
    documentation,
    from_record,
    record_schema,
    to_record,
)
from shardlog.avro.shapes import JsonSchema, Shape
from shardlog.avro.unions import union
from shardlog.codec.personal import Personal
from shardlog.codec.types import bare, walk
from shardlog.errors import DomainError
from shardlog.model.messages import Message

_SIMPLE: dict[type[inspect.Type], Shape] = {
    inspect.NoneType: shapes.NULL,
    inspect.BoolType: shapes.BOOLEAN,
    inspect.IntType: shapes.LONG,
    inspect.FloatType: shapes.DOUBLE,
    inspect.StrType: shapes.STRING,
    inspect.BytesType: shapes.BYTES,
    inspect.DecimalType: shapes.DECIMAL,
    inspect.DateTimeType: shapes.TIMESTAMP,
    inspect.DateType: shapes.DATE,
    inspect.TimeType: shapes.TIME,
    inspect.TimeDeltaType: shapes.DURATION,
    inspect.UUIDType: shapes.UUID_TEXT,
}


def message_shape(name: MessageName, message: type[Message]) -> Shape:
    """The record of a message. Raises DomainError for a field that has no form in Avro."""
    if any(found is msgspec.UnsetType for hint in _hints(message).values() for found in walk(hint)):
        raise DomainError(f"{message.__qualname__} has a field that may be UNSET, which Avro cannot say: use None.")
    info = inspect.type_info(message)
    assert isinstance(info, inspect.StructType)
    return _Shaper(name).message(info)


def _hints(cls: Any) -> Mapping[str, Any]:
    return get_type_hints(_class(cls), include_extras=True)


class _Shaper:
    """The types of one message: each named one is defined where it first stands, and referred to by name after that."""

    def __init__(self, name: MessageName) -> None:
        self._name = name
        self._named: dict[str, JsonSchema] = {}
        self._shapes: dict[Any, Shape] = {}
        self._names: set[str] = {name.fullname}
        self._personals: list[Iterator[Any]] = []

    def message(self, info: inspect.StructType) -> Shape:
        about = {"category": self._name.category, "name": self._name.name, "version": self._name.version}
        shape = self._struct(info, self._name.record, self._name.namespace)
        schema = defined_where_first(shape.schema, self._named)
        schema["shardlog"] = {"kind": self._name.kind[:-1], **about}
        return msgspec.structs.replace(shape, schema=schema)

    def _shape(self, info: inspect.Type, where: str) -> Shape:
        simple = _SIMPLE.get(type(info))
        if simple is not None:
            return simple
        match info:
            case inspect.Metadata():
                return self._shape(info.type, where)
            case inspect.UnionType() | inspect.LiteralType():
                members = list(self._members(info, where))
                return members[0] if len(members) == 1 else union(members, where)
            case inspect.VarTupleType():
                return shapes.array(self._item(info.item_type, where))
            case inspect.FrozenSetType():
                return shapes.unordered(self._item(info.item_type, where))
            case inspect.DictType():
                return shapes.mapping(self._shape(info.value_type, where))
            case inspect.EnumType():
                return self._enum(info.cls, where)
            case inspect.StructType() | inspect.NamedTupleType() if info.cls in self._shapes:
                return self._shapes[info.cls]
            case inspect.StructType():
                return self._struct(info, self._free_name(_class_name(info.cls), where), self._name.inner_namespace)
            case inspect.NamedTupleType():
                return self._named_tuple(info, where)
            case inspect.TupleType():
                return self._tuple(info, where)
            case inspect.CustomType() if bare(info.cls) is Personal:
                return self._personal(where)
        raise DomainError(
            f"{where} of {self._name} has no form in Avro: it is {type(info).__name__.removesuffix('Type')}"
        )

    def _members(self, info: inspect.Type, where: str) -> Any:
        """The members of a union, unions within it too."""
        match info:
            case inspect.Metadata():
                yield from self._members(info.type, where)
            case inspect.UnionType():
                for member in info.types:
                    yield from self._members(member, where)
            case inspect.LiteralType():
                yield from shapes.values_of(info.values)
            case _:
                yield self._shape(info, where)

    def _item(self, info: inspect.Type, where: str) -> Shape:
        """Items that would take no bytes stand in a union of one, which takes one: a length alone proves nothing."""
        item = self._shape(info, where)
        return union([item], where) if shapes.takes_no_bytes(item.schema, self._named) else item

    def _enum(self, cls: type[enum.Enum], where: str) -> Shape:
        values = [member.value for member in cls]
        if not all(isinstance(value, str) and is_avro_name(value) for value in values):
            return next(iter(shapes.values_of(values)))
        if cls in self._shapes:
            return self._shapes[cls]
        namespace = self._name.inner_namespace
        name = self._free_name(cls.__name__, where)
        schema: dict[str, Any] = {"type": "enum", "name": name, "namespace": namespace}
        doc = documentation(cls)
        if doc:
            schema["doc"] = doc
        schema["symbols"] = values
        return self._define(cls, Shape(schema, f"{namespace}.{name}", (str,)))

    def _struct(self, info: inspect.StructType, name: str, namespace: str) -> Shape:
        tag = None if info.tag is None else (None if info.array_like else info.tag_field, info.tag)
        first = 1 if info.array_like and tag else 0

        def fields() -> list[FieldShape]:
            return [
                self._field(field, name, number + first if info.array_like else field.encode_name, _hints(info.cls))
                for number, field in enumerate(info.fields)
            ]

        takes = (list, tuple) if info.array_like else (dict,)
        return self._record(info.cls, name, namespace, fields, takes, tag, documentation(_class(info.cls)))

    def _named_tuple(self, info: inspect.NamedTupleType, where: str) -> Shape:
        name = self._free_name(_class_name(info.cls), where)
        return self._record(
            info.cls,
            name,
            self._name.inner_namespace,
            lambda: [self._field(field, name, number, _hints(info.cls)) for number, field in enumerate(info.fields)],
            (list, tuple),
        )

    def _tuple(self, info: inspect.TupleType, where: str) -> Shape:
        def fields() -> list[FieldShape]:
            names = [f"item_{number}" for number in range(1, len(info.item_types) + 1)]
            shaped = [self._shape(item, f"{where}_{name}") for item, name in zip(info.item_types, names, strict=True)]
            return [FieldShape(place, names[place], shape) for place, shape in enumerate(shaped)]

        name = self._free_name(where, where)
        return self._record(None, name, self._name.inner_namespace, fields, (list, tuple))

    def _personal(self, where: str) -> Shape:
        """A record of one field, null where the value is erased: `None` beside it would be something else."""
        name = self._free_name(f"{where}_personal", where)
        annotation = next(self._personals[-1], None)
        if annotation is None:
            raise DomainError(f"{where} of {self._name} is a Personal that does not say of what: write Personal[str]")
        inner = self._members(inspect.type_info(get_args(annotation)[0]), where)
        value = union([shapes.NULL, *(member for member in inner if member is not shapes.NULL)], where)
        schema = record_schema(
            name, self._name.inner_namespace, [FieldShape("value", "value", value)], self._named, "null: erased"
        )
        to_value, from_value = value.to_avro, value.from_avro
        assert to_value is not None
        assert from_value is not None

        def from_avro(record: dict[str, Any]) -> Any:
            found = from_value(record["value"])
            return {"$erased": True} if found is None else {"$personal": found}

        return Shape(
            schema,
            f"{self._name.inner_namespace}.{name}",
            (dict,),
            lambda builtins: {"value": to_value(builtins.get("$personal"))},
            from_avro,
        )

    def _field(self, field: inspect.Field, record: str, key: str | int, hints: Mapping[str, Any]) -> FieldShape:
        name = field.encode_name if is_avro_name(field.encode_name) else field.name
        check_avro_name(name, f"field {field.name!r} of {record} in {self._name}", "Give it a name")
        self._personals.append(personals_in(hints.get(field.name)))  # msgspec's description leaves out of what they are
        shape = self._shape(field.type, f"{record}_{name}")
        self._personals.pop()
        return FieldShape(key, name, shape, default_of(field), _description(field.type))

    def _record(
        self,
        key: Any,
        name: str,
        namespace: str,
        fields: Callable[[], list[FieldShape]],
        takes: tuple[type, ...],
        tag: tuple[str | None, str | int] | None = None,
        doc: str | None = None,
    ) -> Shape:
        fullname = f"{namespace}.{name}"
        known: list[FieldShape] = []
        whole: list[Shape] = []
        if key is not None:  # what stands inside may refer to it before it is whole
            self._shapes[key] = Shape(
                fullname,
                fullname,
                takes,
                lambda value: value if whole[0].to_avro is None else whole[0].to_avro(value),
                lambda value: value if whole[0].from_avro is None else whole[0].from_avro(value),
                tag,
                (dict,),
            )
        known = fields()
        schema = record_schema(name, namespace, known, self._named, doc)
        from_avro = from_record(known, takes != (dict,), tag)
        shape = Shape(schema, fullname, takes, to_record(known), from_avro, tag, (dict,))
        whole.append(shape)
        self._named[fullname] = schema
        return shape

    def _define(self, key: Any, shape: Shape) -> Shape:
        """Later places refer to it by name."""
        self._named[shape.branch] = shape.schema
        self._shapes[key] = msgspec.structs.replace(shape, schema=shape.branch)
        return shape

    def _free_name(self, wanted: str, where: str) -> str:
        """The name, with a number where another type of this message has it."""
        check_avro_name(wanted, f"{where} in {self._name}", "Give the class a name")
        name, number = wanted, 1
        while f"{self._name.inner_namespace}.{name}" in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(f"{self._name.inner_namespace}.{name}")
        return name


def _class(cls: Any) -> Any:
    return get_origin(cls) or cls


def _class_name(cls: Any) -> str:
    return str(_class(cls).__name__)


def _description(info: inspect.Type) -> str | None:
    if not isinstance(info, inspect.Metadata):
        return None
    description = (info.extra_json_schema or {}).get("description")
    return description if isinstance(description, str) else _description(info.type)
