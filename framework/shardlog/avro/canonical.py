"""A schema as text, and the id that follows from it where no registry gives one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastavro.schema import SchemaParseException, UnknownType, fingerprint, parse_schema, to_parsing_canonical_form

from shardlog.avro.framing import ID_MAX
from shardlog.errors import SchemaError

Schema = Mapping[str, Any]


def schema_text(schema: Schema) -> str:
    """The schema as it stands in its file: the same bytes for the same classes, whatever the host."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def read_schema(text: str, where: str) -> Schema:
    """The schema of a text. where: for the error. Raises SchemaError for what is no schema of a record."""
    try:
        schema = msgspec.json.decode(text)
        parse_schema(schema)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"{where} is no JSON: {error}. Write it anew with `shardlog schema export`.") from error
    except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"{where} is no Avro schema: {type(error).__name__} {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SchemaError(f"{where} is no schema of a record, and every message is one")
    return schema


def canonical(schema: Schema) -> str:
    """Avro's Parsing Canonical Form: what decides over the bytes of values, and nothing else."""
    return to_parsing_canonical_form(dict(schema))


def schema_id(schema: Schema) -> int:
    """The first four bytes of the canonical form's SHA-256, without the highest bit: which anybody can work out."""
    return int(fingerprint(canonical(schema), "sha256")[:8], 16) & ID_MAX


def is_recursive(schema: object) -> bool:
    """Whether a record holds itself, so that values may be nested to any depth."""
    return _leads_back(schema, "", ())


def _leads_back(schema: object, namespace: str, above: tuple[str, ...]) -> bool:
    if isinstance(schema, list):
        return any(_leads_back(member, namespace, above) for member in schema)
    if isinstance(schema, str):
        return schema in above or f"{namespace}.{schema}" in above
    if not isinstance(schema, dict):
        return False
    if "name" in schema and "fields" in schema:
        name = str(schema["name"])
        namespace = str(schema.get("namespace") or name.rpartition(".")[0] or namespace)
        fullname = name if "." in name or not namespace else f"{namespace}.{name}"
        return any(_leads_back(field["type"], namespace, (*above, fullname)) for field in schema["fields"])
    inner = [schema[key] for key in ("type", "items", "values") if key in schema]
    return any(_leads_back(part, namespace, above) for part in inner)
