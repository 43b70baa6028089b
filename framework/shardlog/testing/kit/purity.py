"""Running a handler under watch: clocks, randomness and input or output inside it are named, with the line."""

from __future__ import annotations

import gc
import random
import sys
import sysconfig
from collections.abc import Callable
from contextlib import nullcontext
from enum import Enum, StrEnum
from pathlib import PurePath
from types import CodeType, FrameType
from typing import ParamSpec, TypeVar

from shardlog.codec.personal import personal_sealed
from shardlog.errors import DomainError
from shardlog.model import context
from shardlog.model.aggregate import Aggregate
from shardlog.model.changes import increment, put, remove, update
from shardlog.model.names import where

__tracebackhide__ = True

P = ParamSpec("P")
R = TypeVar("R")


class Kind(StrEnum):
    """What a handler is; it decides what it may know, and so what to write instead."""

    DECIDE = "decide"
    EVOLVE = "evolve"
    PROCESS = "process manager"
    PROJECTION = "projection"


class _Outside(Enum):
    CLOCK = 1
    RANDOMNESS = 2
    NEW_ID = 3
    WORLD = 4


_MODULES = {
    "time": _Outside.CLOCK,
    "_random": _Outside.RANDOMNESS,
    "uuid": _Outside.NEW_ID,
    "_uuid": _Outside.NEW_ID,
    "posix": _Outside.WORLD,
    "nt": _Outside.WORLD,
    "io": _Outside.WORLD,
    "_io": _Outside.WORLD,
    "_socket": _Outside.WORLD,
    "_ssl": _Outside.WORLD,
    "_sqlite3": _Outside.WORLD,
    "_posixsubprocess": _Outside.WORLD,
}
_NAMES = {
    "datetime.now": _Outside.CLOCK,
    "datetime.utcnow": _Outside.CLOCK,
    "datetime.today": _Outside.CLOCK,
    "date.today": _Outside.CLOCK,
    "open": _Outside.WORLD,
    "urandom": _Outside.RANDOMNESS,
}
_INSTEAD = {
    Kind.DECIDE: {
        _Outside.CLOCK: "use context.time, or take it from the command",
        _Outside.RANDOMNESS: "use context.random(), or take it from the command",
        _Outside.NEW_ID: "use context.new_id(), or take it from the command",
        _Outside.WORLD: "read it before the command is sent, and take it from the command",
    },
    Kind.EVOLVE: dict.fromkeys(_Outside, "put it into the event when it is decided, and take it from there"),
    Kind.PROCESS: {
        **dict.fromkeys(_Outside, "put it into the event when it is decided, and take it from there"),
        _Outside.CLOCK: "use recorded.time, or take it from the event",
    },
    Kind.PROJECTION: {
        **dict.fromkeys(_Outside, "put it into the event when it is decided, and take it from there"),
        _Outside.CLOCK: "use recorded.time, or take it from the event",
    },
}
_MAKERS: dict[Kind, dict[CodeType, str]] = {
    Kind.PROJECTION: {maker.__code__: maker.__name__ for maker in (put, update, increment, remove)},
    Kind.PROCESS: {Aggregate.send.__code__: "send"},
}
"""What makes the changes and the commands that a handler returns."""
_STANDARD_LIBRARY = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen"})
_GLOBAL_RANDOM = getattr(random.random, "__self__", None)


def purely(kind: Kind, function: Callable[..., R], *arguments: object) -> R:
    """Call the handler; raise DomainError if it asked anything outside its arguments, naming the line, or if it made
    a change or a command to send and returned nothing.

    A value about a person stays sealed meanwhile, but for projections.
    """
    watch = _Watch(kind)
    seal = nullcontext() if kind is Kind.PROJECTION else personal_sealed()
    previous, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection would run other people's callbacks (hypothesis has one that reads a clock) under watch
    sys.setprofile(watch)
    try:
        with seal:
            returned = function(*arguments)
    finally:
        sys.setprofile(previous)
        if collecting:
            gc.enable()
        if watch.asked is not None:
            raise DomainError(_complaint(kind, function, watch))
    if returned is None and watch.made:
        raise DomainError(f"{where(function)} calls {watch.made} and returned None: a forgotten `return`?")
    return returned


def _complaint(kind: Kind, function: Callable[..., object], watch: _Watch) -> str:
    assert watch.asked is not None
    again = "A rebuild must give the same rows." if kind is Kind.PROJECTION else "Replay must give the same answer."
    name = getattr(function, "__name__", repr(function))
    return f"{name} calls {watch.called} ({watch.line}): {_INSTEAD[kind][watch.asked]}. {again}"


class _Watch:
    """A profiler that notes the first call that reaches outside, and the last that makes what is to be returned."""

    def __init__(self, kind: Kind) -> None:
        self.asked: _Outside | None = None
        self.made = ""
        self._makers = _MAKERS.get(kind, {})
        self.called = ""
        self.line = ""

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code in self._makers:
            self.made = self._makers[frame.f_code]
        if event != "c_call" or self.asked is not None:
            return
        asked = _what_it_asks(frame, argument)
        if asked is None:
            return
        called = _called_name(argument)
        caller: FrameType | None = frame
        while caller is not None and _is_standard_library(caller):
            called = f"{caller.f_globals.get('__name__')}.{caller.f_code.co_name}"
            caller = caller.f_back
        if caller is None or caller.f_code.co_filename == context.__file__:
            return
        self.asked = _Outside.NEW_ID if called.startswith("uuid.") else asked
        self.called = called
        self.line = f"{PurePath(caller.f_code.co_filename).name}:{caller.f_lineno}"


def _what_it_asks(frame: FrameType, called: object) -> _Outside | None:
    owner = getattr(called, "__self__", None)
    if isinstance(owner, random.Random):
        return _what_randomness_asks(frame, called, owner)
    module = str(getattr(called, "__module__", None) or getattr(owner, "__name__", ""))
    return _NAMES.get(_called_name(called)) or _MODULES.get(module)


def _what_randomness_asks(frame: FrameType, called: object, owner: random.Random) -> _Outside | None:
    """A seeded generator gives the same numbers again; the module's own one, and an unseeded one, do not."""
    is_unseeded = getattr(called, "__name__", "") == "seed" and frame.f_locals.get("a") is None
    return _Outside.RANDOMNESS if owner is _GLOBAL_RANDOM or is_unseeded else None


def _called_name(called: object) -> str:
    owner = getattr(getattr(called, "__self__", None), "__name__", "")
    if owner in ("datetime", "date"):
        return f"{owner}.{getattr(called, '__name__', '')}"
    module, name = str(getattr(called, "__module__", "")), str(getattr(called, "__qualname__", called))
    return f"{module}.{name}" if module in ("time", "random", "uuid") else name


def _is_standard_library(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(_STANDARD_LIBRARY) and "-packages" not in file
