"""What became of messages since their schemas were stored: what readers can follow, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from shardlog.avro.canonical import Schema, canonical, read_schema, schema_id
from shardlog.avro.compatibility import Mismatch, mismatches
from shardlog.avro.messages import MessageAvro
from shardlog.avro.names import MessageName
from shardlog.model.application import Application

Status: TypeAlias = Literal["same", "new", "changed", "refused"]


class StoredSchemas(msgspec.Struct, frozen=True):
    """The folder of schemas. by_path: texts by `CATEGORY/KIND/Name.vN.avsc`. by_id: every schema ever exported."""

    by_path: Mapping[str, str]
    by_id: Mapping[int, str]


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True):
    """One message, compared with what is stored.

    changed: every reader of old or new values can follow. refused: not; reasons say what, field by field, and remedy
    what to do instead.
    """

    path: str
    message: str
    status: Status
    reasons: tuple[str, ...] = ()
    remedy: str = ""


def old_events(application: Application) -> frozenset[MessageName]:
    """Events that today's code upcasts: journals hold them, and nothing writes them any more."""
    return frozenset(
        MessageName(aggregate.category, "events", event.__wire_name__, event.__schema_version__)
        for aggregate in application.aggregates.values()
        for event in aggregate.upcasters
    )


def changes(
    wanted: Mapping[MessageName, MessageAvro[Any]], old: frozenset[MessageName], stored: StoredSchemas
) -> list[SchemaChange]:
    """Every message of the classes at hand and of the folder, in the order of their paths.

    wanted: what the classes give. old: those that are upcast. Raises SchemaError for a stored file that is no schema.
    """
    history = {id: read_schema(text, f"ids/{id}.avsc") for id, text in stored.by_id.items()}
    found = [_compared(message, name in old, stored, history) for name, message in wanted.items()]
    paths = {name.path for name in wanted}
    found += [
        _removed(path, read_schema(text, path), wanted, stored)
        for path, text in stored.by_path.items()
        if path not in paths
    ]
    return sorted(found, key=lambda change: change.path)


def _compared(
    message: MessageAvro[Any], is_old: bool, stored: StoredSchemas, history: Mapping[int, Schema]
) -> SchemaChange:
    path, name = message.name.path, message.name
    text = stored.by_path.get(path)

    def change(status: Status, reasons: tuple[str, ...] = (), remedy: str = "") -> SchemaChange:
        return SchemaChange(path=path, message=str(name), status=status, reasons=reasons, remedy=remedy)

    known = history.get(message.id)
    if known is not None and canonical(known) != canonical(message.schema):
        taken = f"its id {message.id} is that of another schema, {known.get('namespace')}.{known['name']}"
        return change("refused", (taken,), "Change the order of two fields or a name: any other schema has another id.")
    if text is None:
        return change("new")
    if text == message.text and known is not None:
        return change("same")
    stored_schema = read_schema(text, path)
    if is_old and text != message.text:
        why = list(_said(mismatches(message.schema, stored_schema), mismatches(stored_schema, message.schema)))
        reasons = (*why, "it is an old version: what journals and topics hold of it was written as it was")
        return change(
            "refused", reasons, f"Give the class back the fields of {path}; change the newest version instead."
        )
    earlier = [s for id, s in history.items() if _fullname(s) == name.fullname and id != schema_id(stored_schema)]
    reasons = tuple(
        dict.fromkeys(
            reason
            for schema in (stored_schema, *earlier)
            for reason in _said(mismatches(message.schema, schema), mismatches(schema, message.schema))
        )
    )
    return change("refused", reasons, _remedy(message)) if reasons else change("changed")


def _said(backward: list[Mismatch], forward: list[Mismatch]) -> Iterator[str]:
    """In words: backward is what new readers cannot read of old values; forward: old readers, of new values."""
    added = [found for found in backward if found.problem == "missing"]
    gone = [found for found in forward if found.problem == "missing"]
    for found in added:
        twin = next((other.place for other in gone if other.detail == found.detail), "")
        hint = f"; was {twin} renamed?" if twin else ""
        yield f"field {found.place} is new and has no default: values from before do not have it{hint}"
    for found in gone:
        yield f"field {found.place} is gone and had no default: readers that know it still expect it"
    for direction, mismatch in (*(("old", m) for m in backward), *(("new", m) for m in forward)):
        if mismatch.problem != "missing":
            yield _reason(mismatch, direction)


def _reason(mismatch: Mismatch, written: str) -> str:
    reader = "new" if written == "old" else "old"
    where = f"field {mismatch.place}" if mismatch.place else "the record"
    match mismatch.problem:
        case "values":
            return f"{where}: {reader} readers do not know {mismatch.detail}, which {written} values have"
        case "name":
            return f"{where}: a type has another name ({mismatch.detail}), so {reader} readers refuse {written} values"
        case "meaning":
            return f"{where}: {written} values are {mismatch.detail}: the same bytes would mean something else"
        case _:
            return f"{where}: {written} values are {mismatch.detail}, which {reader} readers cannot"


def _remedy(message: MessageAvro[Any]) -> str:
    name, cls = message.name, message.message.__name__
    if name.kind == "commands":
        return (
            "Give a new field a default and keep the others, or make a new command beside this one until no producer "
            f"sends it any more. Where none ever did, delete {name.path} and export again."
        )
    return (
        f"Make it a new version: `class {cls}(..., version={name.version + 1})`, keep the old fields as `class "
        f'{cls}V{name.version}(Event, name="{name.name}", version={name.version})`, and register an upcaster with '
        f"`@aggregate.upcasts`. Where no journal ever held one, delete {name.path} and export again."
    )


def _removed(
    path: str, schema: Schema, wanted: Mapping[MessageName, MessageAvro[Any]], stored: StoredSchemas
) -> SchemaChange:
    about = schema.get("shardlog", {})
    label = f"{about.get('kind')} {about.get('category')}/{about.get('name')}/{about.get('version')}"
    reasons = ["no class has this name and version any more"]
    twin = next((m for n, m in wanted.items() if n.path not in stored.by_path and _is_twin(m.schema, schema)), None)
    if twin is not None:
        reasons.append(f"{twin.name} is new and has the same fields: a class's name is its name on the wire")
    if about.get("kind") == "command":
        remedy = f"Keep the command until no producer sends it any more; then delete {path}."
    else:
        remedy = (
            "Keep the class, and register an upcaster that makes today's event of it, or None to drop it. Where no "
            f"journal ever held one, delete {path}."
        )
    if twin is not None:
        remedy = f'To rename the class alone, write `name="{about.get("name")}"` into it. {remedy}'
    return SchemaChange(path=path, message=label, status="refused", reasons=tuple(reasons), remedy=remedy)


def _is_twin(new: Schema, old: Schema) -> bool:
    same_place = all(new["shardlog"][key] == old.get("shardlog", {}).get(key) for key in ("kind", "category"))
    return same_place and new["fields"] == old["fields"]


def _fullname(schema: Schema) -> str:
    return f"{schema.get('namespace')}.{schema['name']}"
