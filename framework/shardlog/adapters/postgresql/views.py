"""The views of PostgreSQL: replaced in place where that can be, else made anew with the rights that the old one gave.

A view that is replaced keeps its rights and what others have built on it; columns may only be added at its end, by
PostgreSQL's rule. Where it is made anew, nothing may depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, String, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.compiler import DDLCompiler

from shardlog.adapters.sql.owners import View
from shardlog.adapters.sql.views import CreateView, DropView
from shardlog.errors import BuildRefused

_OTHER_COLUMNS = "42P16"
_IS_NEEDED = "2BP01"
_GRANTS = text(
    """
    SELECT role.rolname, held.privilege_type, held.is_grantable, held.attname
    FROM (
        SELECT given.grantee, given.privilege_type, given.is_grantable, NULL AS attname
        FROM pg_class AS view, aclexplode(view.relacl) AS given
        WHERE view.oid = CAST(:view AS regclass) AND given.grantee <> view.relowner
        UNION ALL
        SELECT given.grantee, given.privilege_type, given.is_grantable, part.attname
        FROM pg_class AS view JOIN pg_attribute AS part ON part.attrelid = view.oid, aclexplode(part.attacl) AS given
        WHERE view.oid = CAST(:view AS regclass) AND given.grantee <> view.relowner
    ) AS held LEFT JOIN pg_roles AS role ON role.oid = held.grantee
    ORDER BY role.rolname, held.privilege_type, held.attname
    """
)


class _Grant(NamedTuple):
    """What a role may do with a view, or with one column of it. role: None for everybody (PUBLIC)."""

    role: str | None
    privilege: str
    is_grantable: bool
    column: str | None


class _Comment(ExecutableDDLElement):
    """What is said of a view, or of a column of it; nothing where the text is empty."""

    inherit_cache = False

    def __init__(self, kind: Literal["VIEW", "COLUMN"], place: tuple[str, ...], comment: str) -> None:
        self.kind = kind
        self.place = place
        self.comment = comment


class _Right(ExecutableDDLElement):
    """A right that is given, or with `is_given` false all rights of its role on the view that are taken back."""

    inherit_cache = False

    def __init__(self, view: str, grant: _Grant, *, is_given: bool) -> None:
        self.view = view
        self.grant = grant
        self.is_given = is_given


class PostgresqlViews:
    """Views with comments and rights."""

    def show(self, connection: Connection, view: View, /) -> None:
        """Let the view show its table, with what the row class says of it. Raises BuildRefused, naming what depends."""
        if not _is_replaced(connection, view):
            grants = _grants(connection, view.name)
            self.hide(connection, view.name)
            connection.execute(CreateView(view))
            _grant_again(connection, view, grants)
        connection.execute(_Comment("VIEW", (view.name,), view.described.comment))
        for column, comment in view.described.columns.items():
            connection.execute(_Comment("COLUMN", (view.name, column), comment))

    def hide(self, connection: Connection, name: str, /) -> None:
        """Drop it where it is there. Raises BuildRefused, naming what depends on it."""
        try:
            connection.execute(DropView(name))
        except DBAPIError as error:
            if _state(error) != _IS_NEEDED:
                raise
            raise BuildRefused(
                f"view {name!r} must be made anew, since its columns are others than before, and something depends on "
                f"it: {_detail(error)}. Nothing was switched, and the old build goes on serving. Drop what depends on "
                "it, and make it again after the switch; or keep the old columns in their order, and add new ones "
                "behind them"
            ) from error


def _is_replaced(connection: Connection, view: View) -> bool:
    """Make it, or replace the one that is there; False where that one has columns that do not permit it."""
    try:
        with connection.begin_nested():
            connection.execute(CreateView(view))
    except DBAPIError as error:
        if _state(error) != _OTHER_COLUMNS:
            raise
        return False
    return True


def _grants(connection: Connection, view: str) -> Sequence[_Grant]:
    quoted = connection.dialect.identifier_preparer.quote(view)
    return [_Grant(*row) for row in connection.execute(_GRANTS, {"view": quoted})]


def _grant_again(connection: Connection, view: View, grants: Sequence[_Grant]) -> None:
    """Give just the rights that the old view gave: those that the schema gives to every new table are taken back."""
    for role in {grant.role: grant for grant in _grants(connection, view.name)}.values():
        connection.execute(_Right(view.name, role, is_given=False))
    for grant in grants:
        if grant.column is None or grant.column in view.described.columns:
            connection.execute(_Right(view.name, grant, is_given=True))


def _state(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


def _detail(error: DBAPIError) -> str:
    """What the server names, one thing a line, as one line."""
    detail = getattr(getattr(error.orig, "diag", None), "message_detail", None)
    return "; ".join(str(detail or error.orig).splitlines())


@compiles(_Comment)
def _comment(element: _Comment, compiler: DDLCompiler, **_: Any) -> str:
    place = ".".join(map(compiler.preparer.quote, element.place))
    literal = compiler.sql_compiler.render_literal_value(element.comment, String()) if element.comment else "NULL"
    return f"COMMENT ON {element.kind} {place} IS {literal}"


@compiles(_Right)
def _right(element: _Right, compiler: DDLCompiler, **_: Any) -> str:
    quote, grant = compiler.preparer.quote, element.grant
    view, role = quote(element.view), "PUBLIC" if grant.role is None else quote(grant.role)
    if not element.is_given:
        return f"REVOKE ALL ON {view} FROM {role}"
    column = "" if grant.column is None else f" ({quote(grant.column)})"
    option = " WITH GRANT OPTION" if grant.is_grantable else ""
    return f"GRANT {grant.privilege}{column} ON {view} TO {role}{option}"
