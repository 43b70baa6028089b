"""What other programs and old journals rely on: committed beside the tests, and compared with the code."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from shardlog.model.application import Application
from shardlog.model.domain import Domain

Contract: TypeAlias = dict[str, dict[str, dict[str, list[str]]]]
"""By category, then `events` or `commands`: wire name (of events with the version, `deposited/1`) and fields."""


def contract(domain: Domain | Application) -> Contract:
    """The wire names, versions and fields of all messages, as the code has them now."""
    return {
        aggregate.category: {
            "events": {f"{n}/{v}": list(cls.__struct_fields__) for (n, v), cls in aggregate.events_by_name.items()},
            "commands": {name: list(cls.__struct_fields__) for name, cls in aggregate.commands_by_name.items()},
        }
        for aggregate in domain.aggregates.values()
    }


def check_contract(domain: Domain | Application, agreed: Contract) -> None:
    """Raise AssertionError when the code no longer reads what the agreed contract says is out there."""
    now = contract(domain)
    for category, kinds in agreed.items():
        known = now.get(category, {})
        for name, fields in kinds.get("events", {}).items():
            _check_event(category, name, fields, known.get("events", {}))
            _check_required(domain, category, name, fields)
        for name, fields in kinds.get("commands", {}).items():
            _check_command(category, name, fields, known.get("commands", {}))


def _check_required(domain: Domain | Application, category: str, name: str, fields: list[str]) -> None:
    """What old journals do not hold cannot be required."""
    wire_name, _, version = name.partition("/")
    event = domain.aggregates[category].events_by_name[wire_name, int(version)]
    required = [f.name for f in msgspec.structs.fields(event) if f.required and f.name not in fields]
    if required:
        raise AssertionError(
            f"journals hold {category}.{name} without {required}, and the class requires it: give it a default, or "
            "raise the version and write an upcaster"
        )


def _check_event(category: str, name: str, fields: list[str], known: dict[str, list[str]]) -> None:
    if name not in known:
        near = [other for other, has in known.items() if has == fields]
        hint = (
            f"If {near[0]!r} is its new class name, say `name={name.split('/')[0]!r}` in that class."
            if near
            else "Keep its class and write an upcaster."
        )
        raise AssertionError(f"journals hold {category}.{name} {fields}, and no class reads it. {hint}")
    lost = sorted(set(fields) - set(known[name]))
    if lost:
        raise AssertionError(
            f"{category}.{name} has lost {lost}: raise its version and write an upcaster, or keep the field"
        )


def _check_command(category: str, name: str, fields: list[str], known: dict[str, list[str]]) -> None:
    if name not in known:
        raise AssertionError(f"clients send {category}.{name} {fields}, and nothing handles it: keep it, or agree anew")
    lost = sorted(set(fields) - set(known[name]))
    if lost:
        raise AssertionError(f"clients send {lost} with {category}.{name}, which would be refused: keep the field(s)")
