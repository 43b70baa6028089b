"""The OpenAPI 3.1 document: a path for each table and each named query, with every parameter and its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from shardlog.model.answers import Problem
from shardlog.model.projection import Projection
from shardlog.ports.reading import NamedQuery, Operator, QueryParameter
from shardlog.ports.rows import Column, Kind, TableShape, table_shape
from shardlog.query import descriptions
from shardlog.query.formats import FORMATS, MEDIA_TYPES
from shardlog.query.problems import PROBLEM_TYPE
from shardlog.query.routes import TOKENS_MAX, WAIT_DEFAULT_MS, Sources
from shardlog.query.selections import PATTERN_CHARACTERS_MAX, VALUES_MAX, operators_of
from shardlog.query.settings import QuerySettings
from shardlog.query.values import INTEGER_MAX, INTEGER_MIN, TEXT_CHARACTERS_MAX, text_of

Schema: TypeAlias = "dict[str, Any]"
_INTEGER: Schema = {"type": "integer", "minimum": INTEGER_MIN, "maximum": INTEGER_MAX}
_TEXT: Schema = {"type": "string"}
VALUE_SCHEMAS: Mapping[Kind, Schema] = {
    "boolean": {"type": "boolean"},
    "integer": _INTEGER,
    "real": {"type": "number"},
    "decimal": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    "text": _TEXT,
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "time": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "enum": _TEXT,
    "int_enum": _INTEGER,
    "json": {},
}
"""By kind, a value in an answer."""
_ASKED_TEXT: Schema = {"type": "string", "maxLength": TEXT_CHARACTERS_MAX}
ASKED_SCHEMAS: Mapping[Kind, Schema] = {
    **VALUE_SCHEMAS,
    "text": _ASKED_TEXT,
    "enum": _ASKED_TEXT,
    "decimal": {"type": "string", "pattern": r"^[+-]?[0-9]{1,100}(\.[0-9]{1,100})?$"},
}
"""By kind, a value in a parameter."""
_WORDS: Mapping[Operator, str] = {
    "eq": "equal to", "ne": "not equal to", "lt": "less than", "lte": "at most", "gt": "greater than",
    "gte": "at least", "in": "one of; may be repeated", "like": "matching a pattern with % and _",
    "null": "null, or not",
}  # fmt: skip
_STRUCTS = (
    Problem, descriptions.ProjectionList, descriptions.ProjectionDescription, descriptions.QueryList, descriptions.AsOf,
)  # fmt: skip


def document(sources: Sources, settings: QuerySettings) -> Schema:
    """The document for what is served."""
    _, components = msgspec.json.schema_components(
        _STRUCTS,
        schema_hook=lambda _type: {"description": "Anything."},  # what a domain adds to a problem
        ref_template="#/components/schemas/{name}",
    )
    paths: Schema = {
        "/v1/projections": _path("projections", "Every projection, with how far it is.", _ref("ProjectionList")),
        "/v1/queries": _path("queries", "Every named query, with its parameters.", _ref("QueryList")),
    }
    for name, projection in sorted(sources.application.projections.items()):
        about = f"Projection {name}: its tables, and how far it is."
        paths[f"/v1/projections/{name}"] = _path(f"projection-{name}", about, _ref("ProjectionDescription"))
        paths.update(_table_paths(name, projection, settings))
    for query in sources.queries.values():
        paths[f"/v1/queries/{query.name}"] = _query_path(query, settings)
    info = {
        "title": "shardlog query API",
        "version": "1",
        "description": "Rows of projections, each answer of one moment whose positions it names.",
    }
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": components}}


def _table_paths(name: str, projection: Projection, settings: QuerySettings) -> Schema:
    paths: Schema = {}
    for row in projection.rows:
        shape = table_shape(row)
        item = _object({column.name: _value(column.kind, may_be_null=column.nullable) for column in shape.columns}, [])
        answer = _object(
            {
                "projection": {"const": name},
                "table": {"const": shape.name},
                "as_of": _ref("AsOf"),
                "rows": {"type": "array", "items": item},
                "next": {"type": ["string", "null"]},
            }
        )
        about = shape.comment or f"Rows of table {shape.name}."
        parameters = [*_page_parameters(shape, settings), *_common_parameters(settings)]
        parameters += [_filter(column, operator) for column in shape.columns for operator in operators_of(column)]
        paths[f"/v1/projections/{name}/{shape.name}"] = _path(f"rows-{name}-{shape.name}", about, answer, parameters)
    return paths


def _query_path(query: NamedQuery, settings: QuerySettings) -> Schema:
    answer = _object(
        {
            "query": {"const": query.name},
            "as_of": {"type": "object", "additionalProperties": _ref("AsOf")},
            "rows": {"type": "array", "items": {"type": "object"}},
        }
    )
    parameters = [*map(_query_parameter, query.parameters), *_common_parameters(settings)]
    return _path(f"query-{query.name}", query.description or f"Query {query.name}.", answer, parameters)


def _path(id: str, about: str, answer: Schema, parameters: list[Schema] | None = None) -> Schema:
    content: Schema = {MEDIA_TYPES["json"]: {"schema": answer}}
    if parameters is not None:
        content |= {MEDIA_TYPES[name]: {} for name in FORMATS if name != "json"}
    refusals = {"400": "A parameter is wrong.", "503": "Not available at present, or a token was not reached in time."}
    if parameters is not None:
        refusals |= {"406": "No such format.", "408": "The statement took longer than it may."}
    problems = {
        status: {"description": text, "content": {PROBLEM_TYPE: {"schema": _ref("Problem")}}}
        for status, text in sorted(refusals.items())
    }
    responses: Schema = {"200": {"description": "Found.", "content": content}, **problems}
    return {"get": {"operationId": id, "summary": about, "parameters": parameters or [], "responses": responses}}


def _page_parameters(shape: TableShape, settings: QuerySettings) -> list[Schema]:
    names = [column.name for column in shape.columns]
    sortable = [column.name for column in shape.columns if column.kind != "json"]
    orders = [*sortable, *(f"-{name}" for name in sortable)]
    most = max(settings.rows_max, settings.export_rows_max)
    rows = f"Rows of the answer; {settings.rows_max} at most in JSON."
    return [
        _parameter("columns", _names(names), "Which columns, parted by commas; all of them otherwise.", explode=False),
        _parameter("sort", _names(orders), "By which columns, `-` for falling values; then by the key.", explode=False),
        _parameter("limit", {"type": "integer", "minimum": 1, "maximum": most}, rows),
        _parameter("cursor", _TEXT, "What `next` of the page before was, with the same `sort`."),
    ]


def _common_parameters(settings: QuerySettings) -> list[Schema]:
    tokens = {"type": "array", "items": _TEXT, "maxItems": TOKENS_MAX}
    wait = {"type": "integer", "minimum": 0, "maximum": settings.wait_ms_max, "default": WAIT_DEFAULT_MS}
    return [
        _parameter("after", tokens, "Consistency tokens: the rows are not from before. May be repeated, once a shard."),
        _parameter("wait_ms", wait, "How long to wait for that."),
        _parameter("format", {"enum": list(FORMATS)}, "The form of the answer; `Accept` says it, too."),
    ]


def _filter(column: Column, operator: Operator) -> Schema:
    name = f"{column.name}.{operator}" if operator != "eq" or column.name in _TAKEN else column.name
    about = f"{column.name} is {_WORDS[operator]}."
    schema = ASKED_SCHEMAS[column.kind]
    if operator == "null":
        schema = VALUE_SCHEMAS["boolean"]
    elif operator == "in":
        schema = {"type": "array", "items": schema, "maxItems": VALUES_MAX}
    elif operator == "like":
        schema = {"type": "string", "maxLength": PATTERN_CHARACTERS_MAX}
    return _parameter(name, schema, about)


_TAKEN = frozenset({"columns", "sort", "limit", "cursor", "after", "wait_ms", "format"})


def _query_parameter(parameter: QueryParameter) -> Schema:
    schema = dict(ASKED_SCHEMAS[parameter.kind])
    is_required = parameter.default is msgspec.UNSET
    if not is_required and parameter.default is not None:
        plain = isinstance(parameter.default, bool | int | float | str)
        schema["default"] = parameter.default if plain else text_of(parameter.default)
    made = _parameter(parameter.name, schema, parameter.description)
    return {**made, "required": True} if is_required else made


def _parameter(name: str, schema: Schema, about: str, *, explode: bool = True) -> Schema:
    made: Schema = {"name": name, "in": "query", "description": about, "schema": schema}
    if schema.get("type") == "array":
        made |= {"style": "form", "explode": explode}
    return made


def _names(names: list[str]) -> Schema:
    return {"type": "array", "items": {"enum": names}, "uniqueItems": True, "minItems": 1}


def _value(kind: Kind, *, may_be_null: bool) -> Schema:
    schema = VALUE_SCHEMAS[kind]
    if not schema or not (may_be_null or kind == "real"):  # a float that is no number is null in JSON
        return schema
    return {**schema, "type": [schema["type"], "null"]}


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
