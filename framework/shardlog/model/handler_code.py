"""A digest of what a projection's handlers say, so that a build knows whether other handlers have begun it."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from shardlog.model.projection import Projection

_PLAIN = (bool, int, float, str, bytes, Decimal, date, time, timedelta, type(None))


@lru_cache(maxsize=256)
def handlers_digest(projection: Projection) -> str:
    """blake2b-128, in hex, over the handlers, the functions of their package that they call, and plain constants.

    Comments, docstrings, annotations and layout do not count, nor does the version of Python. What is called by
    another way than its name (a method, a function that is passed in) is not seen: equal digests prove nothing,
    different ones tell that rows are made in another way, or that the code was written anew to do the same. Empty where
    a handler has no source to read. To be asked for when all handlers are registered: the answer is kept.
    """
    handlers = {f"{event.__module__}.{event.__qualname__}": h for event, h in projection.handlers.items()}
    handlers |= {f"batch {number}": batch.handler for number, batch in enumerate(projection.batch_handlers)}
    if projection.rejection_handler is not None:
        handlers["rejected"] = projection.rejection_handler
    found: dict[str, str] = {}
    try:
        said = [f"{name}: {_said(handler, found)}" for name, handler in sorted(handlers.items())]
    except (OSError, TypeError, SyntaxError):  # made in a shell, or by a factory from a text
        return ""
    called = [f"{name}: {text}" for name, text in sorted(found.items())]
    return hashlib.blake2b("\n".join([*said, *called]).encode(), digest_size=16).hexdigest()


def _said(function: Callable[..., Any], found: dict[str, str]) -> str:
    """What a function says; what it uses by name is entered into `found`, once."""
    plain = inspect.unwrap(function)
    text = _normal(inspect.getsource(plain))
    if isinstance(plain, FunctionType):
        for name, value in _used(plain):
            place = f"{plain.__module__}.{name}"
            if place in found:
                continue
            if isinstance(value, FunctionType):
                if _package(value) == _package(plain):
                    found[place] = ""  # so that one that calls itself ends
                    found[place] = _said(value, found)
            elif (shown := _shown(value)) is not None:
                found[place] = shown
    return text


def _normal(source: str) -> str:
    """The source without what does not change what it does."""
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.decorator_list, node.returns = [], None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


def _used(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Globals and variables of enclosing functions that its code names, and those of functions inside of it."""
    enclosing = inspect.getclosurevars(function).nonlocals
    names = set(_names(function.__code__))
    for name in sorted(names):
        if name in enclosing:
            yield name, enclosing[name]
        elif name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _package(function: FunctionType) -> str:
    return function.__module__.partition(".")[0]


def _shown(value: object) -> str | None:
    """A constant in one form on all hosts; None for what may look different in each process."""
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, Mapping):
        return _all_shown([part for pair in value.items() for part in pair], "{}", is_sorted=False)
    if isinstance(value, set | frozenset):
        return _all_shown(list(value), "{}", is_sorted=True)
    if isinstance(value, tuple | list):
        return _all_shown(list(value), "[]", is_sorted=False)
    return None


def _all_shown(values: list[object], brackets: str, *, is_sorted: bool) -> str | None:
    shown = [_shown(value) for value in values]
    if any(one is None for one in shown):
        return None
    texts = [one for one in shown if one is not None]
    return brackets[0] + ", ".join(sorted(texts) if is_sorted else texts) + brackets[1]
