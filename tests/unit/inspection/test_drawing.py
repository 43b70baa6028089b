"""Tables are drawn with all that their row classes say, in three forms that parse."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated
from uuid import UUID
from xml.etree import ElementTree

import msgspec

from shardlog import AwareDatetime, Join, Key, Projection, Row
from shardlog.inspection.drawing import dot, mermaid
from shardlog.inspection.picture import svg
from shardlog.inspection.tables import TYPES, Drawing, DrawnLink, drawing_of
from shardlog.ports.rows import Kind

SVG = "{http://www.w3.org/2000/svg}"


class Colour(Enum):
    RED = "red"


class Size(Enum):
    SMALL = 1


class Everything(Row, name="everything", floats=True):
    """One of <each> kind, & a comment
    of two lines."""

    name: Key[str]
    on: Key[date]
    yes: bool = False
    number: Annotated[int, msgspec.Meta(description='of "things", < 5')] = 0
    real: float | None = None
    exact: Decimal = Decimal(0)
    raw: bytes = b""
    at: AwareDatetime | None = None
    by: UUID | None = None
    colour: Colour = Colour.RED
    size: Size = Size.SMALL
    many: tuple[int, ...] = ()


class Plain(Row, name="plain"):
    name: Key[str]


PROJECTION = Projection("all", rows=[Everything, Plain], version=3)
DRAWING = drawing_of([PROJECTION])
LINKED = Drawing(DRAWING.tables, (DrawnLink("everything", "plain", ("name",)),))


def test_mermaid_says_keys_types_nulls_and_comments() -> None:
    assert mermaid(LINKED) == (
        "erDiagram\n"
        "  %% everything: One of <each> kind, & a comment of two lines.\n"
        '  everything["everything (all, version 3)"] {\n'
        "    text name PK\n"
        "    date on PK\n"
        "    boolean yes\n"
        "    bigint number \"of 'things', < 5\"\n"
        '    float8 real "may be null"\n'
        "    numeric exact\n"
        "    bytea raw\n"
        '    timestamptz at "may be null"\n'
        '    uuid by "may be null"\n'
        "    text colour\n"
        "    bigint size\n"
        "    jsonb many\n"
        "  }\n"
        '  plain["plain (all, version 3)"] {\n'
        "    text name PK\n"
        "  }\n"
        '  plain ||--o{ everything : "name"\n'
    )


def test_every_kind_has_a_type() -> None:
    assert set(TYPES) == set(Kind.__args__)


def test_graphviz_gets_a_table_of_html_for_each_table_and_a_line_for_each_link() -> None:
    drawn = dot(LINKED)
    labels = re.findall(r'^  "(\w+)" \[label=<(<table.*</table>)>\];$', drawn, re.MULTILINE)
    assert [name for name, _ in labels] == ["everything", "plain"]
    cells = [["".join(cell.itertext()) for cell in row] for row in ElementTree.fromstring(labels[0][1]).iter("tr")]
    assert cells[:2] == [["everything (all, version 3)"], ["One of <each> kind, & a comment of two lines."]]
    assert ["number", "bigint", 'of "things", < 5'] in cells
    assert ["at", "timestamptz null", " "] in cells
    assert '  "everything" -> "plain" [label="name"];' in drawn
    assert drawn.endswith("}\n")


def test_a_picture_has_a_box_for_each_table_with_all_its_lines_inside() -> None:
    root = ElementTree.fromstring(svg(LINKED))
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    for column in (column for table in DRAWING.tables for column in table.columns):
        assert any(re.fullmatch(rf"{column.name} +{column.type}( null)?", text) for text in texts), column
    assert {"everything", "plain", "all, version 3", "name"} <= set(texts)
    boxes = [
        [float(rect.attrib[name]) for name in ("x", "y", "width", "height")]
        for rect in root.iter(f"{SVG}rect")
        if "x" in rect.attrib and "class" not in rect.attrib
    ]
    assert len(boxes) == 2
    for text in root.iter(f"{SVG}text"):
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        inside = any(left <= x <= left + w and top <= y <= top + h for left, top, w, h in boxes)
        assert inside or text.text == "name", text.text  # the link's label stands between them
    (left, _, width, _), (other, *_rest) = boxes
    assert left + width < other


def test_a_join_is_drawn_with_what_it_joins() -> None:
    beside = Join(
        "beside", Everything, Plain, on=["name"], left_columns=["name"], right_columns={"other": "name"}, keeps="left"
    )
    drawing = drawing_of([Projection("joined", rows=[Everything, Plain], views=[beside])])
    assert mermaid(drawing).endswith(
        '  beside["beside (joined, version 1, a join)"] {\n'
        "    text name\n"
        '    text other "may be null"\n'
        "  }\n"
        '  everything ||--o{ beside : "name"\n'
        '  plain ||--o{ beside : "name"\n'
    )
    assert "joined, version 1, a join" in svg(drawing)


def test_nothing_is_drawn_of_no_tables() -> None:
    assert mermaid(Drawing(())) == "erDiagram\n"
    assert ElementTree.fromstring(svg(Drawing(()))).tag == f"{SVG}svg"
