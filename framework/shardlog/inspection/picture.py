"""A drawing of tables as SVG, which any browser shows: boxes in columns, a line for each link. Pure.

Tables stand for themselves but for a few links, so that a fixed grid does and no layout engine is needed.
"""

from __future__ import annotations

import textwrap
from html import escape
from typing import NamedTuple

from shardlog.inspection.tables import Drawing, DrawnColumn, DrawnTable

LINE = 18
CHARACTER = 6.7
"""Width of a character at 11 pixels of a monospaced font, in pixels."""
GAP = 30
PADDING = 8
COLUMNS = 3
HEAD = 2 * LINE + 4
COMMENT_CHARACTERS = 46
STYLE = (
    "text{font:11px monospace;fill:#1a1a1a}.t{font-weight:bold}.c{fill:#666}.k{text-decoration:underline}"
    "rect{fill:#fff;stroke:#8a97a8}.h{fill:#e8eef7}path{fill:none;stroke:#8a97a8}"
)


class Box(NamedTuple):
    """A table's place, in pixels."""

    x: float
    y: float
    width: float
    height: float


def svg(drawing: Drawing) -> str:
    """The picture, with its own background and style."""
    boxes = _boxes(drawing)
    width = max((box.x + box.width for box in boxes.values()), default=0) + GAP
    height = max((box.y + box.height for box in boxes.values()), default=0) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">',
        f'<style>{STYLE}</style><rect width="100%" height="100%" style="stroke:none"/>',
    ]
    parts += [_line(boxes[link.source], boxes[link.target], ", ".join(link.columns)) for link in drawing.links]
    parts += [_table(table, boxes[table.name]) for table in drawing.tables]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _boxes(drawing: Drawing) -> dict[str, Box]:
    """Each table in the column that is the shortest so far."""
    if not drawing.tables:
        return {}
    width = max(len(line) for table in drawing.tables for line, _ in _lines(table)) * CHARACTER + 2 * PADDING
    heights = [float(GAP)] * COLUMNS
    boxes: dict[str, Box] = {}
    for table in drawing.tables:
        column = heights.index(min(heights))
        height = LINE * len(_lines(table)) + PADDING
        boxes[table.name] = Box(GAP + column * (width + GAP), heights[column], width, height)
        heights[column] += height + GAP
    return boxes


def _lines(table: DrawnTable) -> list[tuple[str, str]]:
    """What stands in a box, line by line, each with its class."""
    lines = [
        (table.name, "t"),
        (f"{table.projection}, version {table.version}{', a join' if table.is_join else ''}", "c"),
    ]
    lines += [(line, "c") for line in textwrap.wrap(table.comment, COMMENT_CHARACTERS)]
    name = max(len(column.name) for column in table.columns)
    for column in table.columns:
        lines.append((f"{column.name:{name}}  {_type(column)}", "k" if column.is_key else ""))
        lines += [(f"  {line}", "c") for line in textwrap.wrap(column.comment, COMMENT_CHARACTERS)]
    return lines


def _type(column: DrawnColumn) -> str:
    return f"{column.type} null" if column.is_nullable else column.type


def _table(table: DrawnTable, box: Box) -> str:
    parts = [
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}"/>',
        f'<rect class="h" x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{HEAD}"/>',
    ]
    for number, (line, style) in enumerate(_lines(table), 1):
        x, y = box.x + PADDING, box.y + LINE * number - 4
        named = f' class="{style}"' if style else ""
        parts.append(f'<text{named} xml:space="preserve" x="{x:.0f}" y="{y:.0f}">{escape(line)}</text>')
    return "".join(parts)


def _line(source: Box, target: Box, label: str) -> str:
    x1, y1 = source.x + source.width / 2, source.y + source.height / 2
    x2, y2 = target.x + target.width / 2, target.y + target.height / 2
    middle = f'x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2:.0f}"'
    return f'<path d="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"/><text class="c" {middle}>{escape(label)}</text>'
