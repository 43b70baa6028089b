"""A user's mistake, and what becomes of it: the message of shardlog, and what the type checkers say."""

from typing import Literal

import msgspec

PRELUDE = """\
from __future__ import annotations
import random, time, uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from enum import StrEnum
from typing import Annotated, Any
from shardlog import *
from shardlog.testing.kit import Scenario, given, given_old, on, project
class Account(State):
    open: bool = False
    balance: int = 0
class Refused(StrEnum):
    NOT_OPEN = "account_not_open"
class ACommand(Command): ...
class AEvent(Event): ...
class Deposit(ACommand):
    amount: int
class Deposited(AEvent):
    amount: int
class Withdrawn(AEvent):
    amount: int
account = Aggregate("account", initial=Account(), commands=ACommand, events=AEvent, rejects=Refused)
"""
"""What stands before the code of every mistake."""
PRELUDE_LINES = PRELUDE.count("\n")


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """Code that a user may write, and what is said about it.

    seen_by: import of the code, the kit when `test()` is called, or nobody: then the code is right. message: the whole
    of it, the line counted from the mistake's first. mypy, pyright: what one of their findings says, None where they
    find nothing.
    """

    name: str
    code: str
    seen_by: Literal["import", "kit"] | None
    message: str | None
    mypy: str | None
    pyright: str | None
