"""The parameters of a question for rows as a Selection. What is unknown is refused, with what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from shardlog.model.messages import Row
from shardlog.model.names import closest
from shardlog.model.projection import Projection
from shardlog.ports.reading import OPERATORS, Condition, Operator, Order, Selection
from shardlog.ports.rows import Column, TableShape, table_shape
from shardlog.query.cursors import place_of
from shardlog.query.problems import invalid
from shardlog.query.values import parsed

COMMON = ("after", "wait_ms", "format")
PAGED = ("columns", "sort", "limit", "cursor", *COMMON)
"""Parameters with a meaning of their own; a column of that name is filtered by as `limit.eq`."""
PARAMETERS_MAX = 200
VALUES_MAX = 100
"""Of one `in`."""
PATTERN_CHARACTERS_MAX = 200
LOST_PLUS = "; in a URL + means a space: write it as %2B"
Parameters = Mapping[str, Sequence[str]]


class Limits(NamedTuple):
    """Rows of an answer: where none are asked for, and at most."""

    default: int
    most: int


def parameters_of(query_string: bytes) -> Parameters:
    """By name, the values in their order. Raises RequestRefused where they are no UTF-8, or too many."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except ValueError:
        raise invalid(f"the parameters are not percent-encoded UTF-8, or more than {PARAMETERS_MAX}") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def selection_of(projection: Projection, row: type[Row], parameters: Parameters, limits: Limits) -> Selection:
    """Raises RequestRefused, naming the parameter and what it must be."""
    shape = table_shape(row)
    columns = {column.name: column for column in shape.columns}
    chosen = _columns(parameters, columns)
    orders = _orders(parameters, shape, columns)
    limit = number(parameters, "limit", limits.default, 1, limits.most)
    cursor = single(parameters, "cursor")
    behind = None if cursor is None else place_of(cursor, shape, orders)
    conditions = [
        condition
        for name, values in parameters.items()
        if name not in PAGED
        for condition in _conditions(name, values, columns)
    ]
    return Selection(projection, row, chosen, conditions, orders, behind, limit)


def single(parameters: Parameters, name: str) -> str | None:
    """The only value of a parameter. Raises RequestRefused for several."""
    values = parameters.get(name, ())
    if len(values) > 1:
        raise invalid(f"{name} is given {len(values)} times, and may be once")
    return values[0] if values else None


def number(parameters: Parameters, name: str, default: int, least: int, most: int) -> int:
    """A number in its range. Raises RequestRefused."""
    text = single(parameters, name)
    if text is None:
        return min(default, most)
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise invalid(f"{name}={shown(text)}, and must be from {least} to {most}")
    return int(text)


def shown(text: str) -> str:
    """What a client sent, in quotes and not all of a long one."""
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def unknown(name: str, known: Sequence[str]) -> str:
    """That there is no such parameter or column, and what there is."""
    return f"there is no {shown(name)}; there are: {', '.join(known) or 'none'}{closest(name[:60], known)}"


def operators_of(column: Column) -> tuple[Operator, ...]:
    """What a column may be compared by."""
    return (*OPERATORS[column.kind], "null") if column.nullable else OPERATORS[column.kind]


def _columns(parameters: Parameters, columns: Mapping[str, Column]) -> tuple[str, ...]:
    text = single(parameters, "columns")
    if text is None:
        return tuple(columns)
    chosen = text.split(",")
    for name in chosen:
        if name not in columns:
            raise invalid(f"columns: {unknown(name, tuple(columns))}")
    if len(set(chosen)) != len(chosen):
        raise invalid("columns names one twice")
    return tuple(chosen)


def _orders(parameters: Parameters, shape: TableShape, columns: Mapping[str, Column]) -> list[Order]:
    """What is asked for, and the key behind it, so that no two rows have the same place."""
    text = single(parameters, "sort")
    orders: list[Order] = []
    for part in text.split(",") if text is not None else ():
        name = part.removeprefix("-")
        if name not in columns or columns[name].kind == "json":
            sortable = tuple(known for known, column in columns.items() if column.kind != "json")
            raise invalid(f"sort: {unknown(name, sortable)}")
        if any(order.column == name for order in orders):
            raise invalid(f"sort names {name} twice")
        orders.append(Order(name, part.startswith("-")))
    is_descending = bool(orders) and orders[-1].is_descending
    named = {order.column for order in orders}
    return [*orders, *(Order(name, is_descending) for name in shape.keys if name not in named)]


def _conditions(parameter: str, values: Sequence[str], columns: Mapping[str, Column]) -> list[Condition]:
    name, _, operator = parameter.partition(".")
    column = columns.get(name)
    if column is None:
        raise invalid(unknown(parameter, (*columns, *PAGED)))
    allowed = operators_of(column)
    by = next((known for known in allowed if known == (operator or "eq")), None)
    if by is None or parameter.endswith("."):
        forms = ", ".join(name if known == "eq" else f"{name}.{known}" for known in allowed)
        raise invalid(f"{shown(parameter)} is no filter: a column of kind {column.kind} has {forms or 'none'}")
    if by == "in":
        if len(values) > VALUES_MAX:
            raise invalid(f"{parameter} is given {len(values)} times, and may be {VALUES_MAX} times")
        return [Condition(name, by, tuple(_parsed(parameter, column, by, value) for value in values))]
    if by in ("eq", "null", "like") and len(values) > 1:
        raise invalid(f"{parameter} is given {len(values)} times, and may be once; {name}.in may be repeated")
    return [Condition(name, by, _parsed(parameter, column, by, value)) for value in values]


def _parsed(parameter: str, column: Column, operator: Operator, text: str) -> object:
    try:
        value = parsed("boolean" if operator == "null" else column.kind, text)
    except ValueError as error:
        is_plus_lost = column.kind == "time" and text[16:][-6:-5] == " "
        raise invalid(f"{parameter}={shown(text)}, and {error}{LOST_PLUS if is_plus_lost else ''}") from None
    if operator == "like":
        rest = text.replace("\\\\", "").replace("\\%", "").replace("\\_", "")
        if "\\" in rest or len(text) > PATTERN_CHARACTERS_MAX:
            raise invalid(
                f"{parameter}={shown(text)}, and must be a pattern of at most {PATTERN_CHARACTERS_MAX} characters: % "
                "stands for any text, _ for one character, and \\%, \\_ and \\\\ for themselves"
            )
    return value
