"""What a handler's code names: all that can be known about what it touches without running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType


def names_of(function: Callable[..., object]) -> frozenset[str]:
    """The globals and attributes that its code, and that of the functions inside it, names."""
    code = getattr(function, "__code__", None)
    return frozenset(name for inner in _codes(code) for name in inner.co_names) if code is not None else frozenset()


def named_by(function: Callable[..., object]) -> Iterator[object]:
    """The values of the globals and closures that it names; through the functions of its own module that it names."""
    seen: set[object] = set()
    waiting: list[object] = [function]
    while waiting:
        caller = waiting.pop()
        if not isinstance(caller, FunctionType) or caller in seen:
            continue
        seen.add(caller)
        for value in _values(caller):
            yield value
            if getattr(value, "__module__", None) == function.__module__:
                waiting.append(value)


def _values(function: FunctionType) -> Iterator[object]:
    for name in names_of(function):
        if name in function.__globals__:
            yield function.__globals__[name]
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
