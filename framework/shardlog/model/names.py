"""Names in messages to the domain's author: where a function stands, what a type is called, what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import PurePath
from types import UnionType
from typing import Union, get_args, get_origin


def snake_case(name: str) -> str:
    """`ItemAdded` -> `item_added`: the wire name of a class that names none."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def where(function: Callable[..., object]) -> str:
    """`deposit (banking.py:23)`."""
    name = getattr(function, "__name__", repr(function))
    code = getattr(function, "__code__", None)
    return f"{name} ({PurePath(code.co_filename).name}:{code.co_firstlineno})" if code else name


def show(annotation: object) -> str:
    """A type as its author wrote it, more or less: `Transaction[Account, AccountEvent]`."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Ellipsis:
        return "..."
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " | ".join(show(member) for member in arguments)
    if isinstance(origin, type) and arguments:
        return f"{origin.__name__}[{', '.join(show(argument) for argument in arguments)}]"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def closest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def listed(problems: Iterable[str]) -> str:
    """Problems as lines of a list."""
    return "\n".join(f"- {problem}" for problem in problems)
