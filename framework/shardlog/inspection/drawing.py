"""A drawing of tables as text: for Mermaid, which many pages draw by themselves, and for Graphviz. Pure."""

from __future__ import annotations

import textwrap
from html import escape

from shardlog.inspection.tables import Drawing, DrawnColumn, DrawnTable

COMMENT_CHARACTERS = 60
DOT_BEGIN = (
    "digraph tables {",
    '  graph [rankdir=LR, fontname="sans-serif"];',
    '  node [shape=plain, fontname="sans-serif", fontsize=11];',
)


def mermaid(drawing: Drawing) -> str:
    """An erDiagram. What Mermaid has no place for, the tables' comments, stands in comments of its own."""
    lines = ["erDiagram"]
    for table in drawing.tables:
        if table.comment:
            lines.append(f"  %% {table.name}: {table.comment}")
        lines.append(f'  {table.name}["{_title(table)}"] {{')
        lines += [f"    {_mermaid_column(column)}" for column in table.columns]
        lines.append("  }")
    for link in drawing.links:
        lines.append(f'  {link.target} ||--o{{ {link.source} : "{", ".join(link.columns)}"')
    return "\n".join(lines) + "\n"


def dot(drawing: Drawing) -> str:
    """A digraph for Graphviz, a table of HTML for each table."""
    lines = list(DOT_BEGIN)
    for table in drawing.tables:
        rows = [f'<tr><td colspan="3" bgcolor="#e8eef7"><b>{escape(_title(table))}</b></td></tr>']
        if table.comment:
            rows.append(f'<tr><td colspan="3" align="left"><i>{_wrapped(table.comment)}</i></td></tr>')
        rows += [_dot_row(column) for column in table.columns]
        lines.append(
            f'  "{table.name}" [label=<<table border="0" cellborder="1" cellspacing="0">{"".join(rows)}</table>>];'
        )
    for link in drawing.links:
        lines.append(f'  "{link.source}" -> "{link.target}" [label="{", ".join(link.columns)}"];')
    return "\n".join([*lines, "}"]) + "\n"


def _title(table: DrawnTable) -> str:
    kind = ", a join" if table.is_join else ""
    return f"{table.name} ({table.projection}, version {table.version}{kind})"


def _mermaid_column(column: DrawnColumn) -> str:
    key = " PK" if column.is_key else ""
    comment = ", ".join(filter(None, ["may be null" if column.is_nullable else "", column.comment.replace('"', "'")]))
    return f"{column.type} {column.name}{key}" + (f' "{comment}"' if comment else "")


def _dot_row(column: DrawnColumn) -> str:
    name = f"<u>{column.name}</u>" if column.is_key else column.name
    kind = f"{column.type}{' null' if column.is_nullable else ''}"
    cells = (name, escape(kind), _wrapped(column.comment) or " ")
    return "<tr>" + "".join(f'<td align="left">{cell}</td>' for cell in cells) + "</tr>"


def _wrapped(text: str) -> str:
    return '<br align="left"/>'.join(map(escape, textwrap.wrap(text, COMMENT_CHARACTERS)))
