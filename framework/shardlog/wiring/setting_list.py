"""Every setting with what is to be known of it: type, unit, default, range, and what it is for."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from shardlog.ranges import allowed, field_types, is_secret, unit
from shardlog.wiring.setting_sources import variable
from shardlog.wiring.settings import SECTIONS, Settings


class Setting(NamedTuple):
    """One setting. about: what it is for. allowed: in words, behind "must be". unit: empty where it has none.

    is_secret: whether its value is never shown.
    """

    section: str
    name: str
    default: object
    unit: str
    allowed: str
    about: str
    is_secret: bool = False

    def shown(self, settings: Settings) -> object:
        """Its value in force; of a secret, whether there is one."""
        value: object = getattr(getattr(settings, self.section), self.name)
        return "***" if self.is_secret and value else value

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return variable(self.section, self.name)


def all_settings() -> Iterator[Setting]:
    """All of them, section by section."""
    for section, struct in SECTIONS.items():
        defaults: Any = struct()
        about = _about(struct)
        for name, hint in field_types(struct).items():
            default, text = getattr(defaults, name), about.get(name, "")
            yield Setting(section, name, default, unit(name, hint), allowed(hint), text, is_secret(hint))


def secrets_of(settings: Settings) -> list[str]:
    """The values of all settings that are secrets, to be kept out of logs."""
    return [text for section in SECTIONS for text in secrets_in(getattr(settings, section))]


def secrets_in(section: msgspec.Struct) -> list[str]:
    """The secrets of one section that are not empty."""
    hints = field_types(type(section)).items()
    return [value for name, hint in hints if is_secret(hint) and (value := getattr(section, name))]


def _about(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    """The text under each field, as it stands in the code."""
    source = inspect.getsource(sys.modules[struct.__module__])
    body = next(n.body for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == struct.__name__)
    found: dict[str, str] = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = " ".join(value.value.split())
    return found
