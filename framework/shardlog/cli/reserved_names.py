"""Names that the domain of a new repository cannot have, since its files would mean something else by them."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Iterator
from importlib.metadata import requires

from shardlog.cli.template_files import template_files

_FOLDERS = frozenset({"shardlog", "domain", "projections", "tests", "demo"})
_PLACEHOLDER = "the_name_of_the_domain"
_is_name = re.compile(r"[a-z]([a-z0-9_]{0,38}[a-z0-9])?").fullmatch
_project = re.compile(r"[A-Za-z0-9._-]+").match


def why_not(name: str) -> str:
    """What is wrong with this name for a domain; empty where nothing is."""
    if not _is_name(name):
        return "is no name for a domain: write it in snake case, at most 40 characters, as in shop"
    if keyword.iskeyword(name):
        return "is no name for a domain, but a word of Python: take another"
    if name in sys.stdlib_module_names or hasattr(builtins, name):
        return "is a name that Python itself has: take another"
    if name in _FOLDERS or name in set(_names_in_templates()):
        return "is a name that the repository itself needs: take another"
    if name in _dependencies():
        return "is a package that shardlog needs, and no two can have one name: take another"
    return ""


def _names_in_templates() -> Iterator[str]:
    """Every name that stands for something in a module of the new repository."""
    for file in template_files({"name": _PLACEHOLDER}):
        if file.path.suffix != ".py":
            continue
        yield file.path.stem
        for node in ast.walk(ast.parse(file.text)):
            match node:
                case ast.Name(id=found) | ast.arg(arg=found):
                    yield found
                case ast.alias(name=found, asname=other):
                    yield other or found
                case ast.FunctionDef(name=found) | ast.ClassDef(name=found):
                    yield found
                case _:
                    pass


def _dependencies() -> frozenset[str]:
    """The packages that are installed with shardlog or beside it, as a domain would be written."""
    found = (_project(requirement) for requirement in requires("shardlog") or ())
    return frozenset(match[0].lower().replace("-", "_") for match in found if match is not None)
