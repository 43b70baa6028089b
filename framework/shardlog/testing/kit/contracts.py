"""What other programs and old journals rely on: committed beside the tests, and compared with the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from shardlog.model.application import Application
from shardlog.model.domain import Domain
from shardlog.model.messages import Message
from shardlog.model.names import listed
from shardlog.testing.kit.type_text import HAS_DEFAULT, field_types, reads

__tracebackhide__ = True

Fields: TypeAlias = dict[str, str]
Contract: TypeAlias = dict[str, dict[str, dict[str, Fields]]]
"""By category, then `events` or `commands`, then wire name (of events with the version): the fields and their types.

`{"account": {"events": {"deposited/1": {"amount": "int", "note": "str | None = ..."}}, "commands": {...}}}`. Types
are as in annotations: limits stand in parentheses, `int (gt=0)`; ` = ...` says that a field may be absent; a struct is
its fields in braces, an enum its values, so that names of classes do not matter.
"""


class _Known(msgspec.Struct, frozen=True):
    """A message as the code has it now. name: `account.deposited/1`."""

    name: str
    cls: str
    fields: Fields


def contract(domain: Domain | Application) -> Contract:
    """The wire names, versions, fields and types of all messages, as the code has them now."""
    return {
        category: {kind: {name: field_types(cls) for name, cls in classes.items()} for kind, classes in kinds.items()}
        for category, kinds in _classes(domain).items()
    }


def check_contract(domain: Domain | Application, agreed: Contract) -> None:
    """Raise AssertionError, with a line for each problem, when the code no longer reads what is out there.

    What only adds to the contract is no problem: messages, fields with a default, alternatives of a type.
    """
    problems = list(_problems(_classes(domain), agreed))
    if problems:
        raise AssertionError(f"the contract is broken in {len(problems)} place(s):\n{listed(problems)}")


def _classes(domain: Domain | Application) -> dict[str, dict[str, dict[str, type[Message]]]]:
    return {
        category: {
            "events": {f"{name}/{version}": cls for (name, version), cls in aggregate.events_by_name.items()},
            "commands": dict(aggregate.commands_by_name),
        }
        for category, aggregate in domain.aggregates.items()
    }


def _problems(now: Mapping[str, dict[str, dict[str, type[Message]]]], agreed: Contract) -> Iterator[str]:
    for category, kinds in agreed.items():
        for kind, messages in kinds.items():
            classes = now.get(category, {}).get(kind, {})
            for name, fields in messages.items():
                full_name = f"{category}.{name}"
                if not isinstance(fields, dict):
                    yield f"{full_name}: {fields!r} names no types: write the contract anew, with contract()"
                elif name not in classes:
                    yield _gone(full_name, kind, fields, classes)
                else:
                    known = _Known(full_name, classes[name].__name__, field_types(classes[name]))
                    yield from (_changed_event if kind == "events" else _changed_command)(known, fields)


def _gone(name: str, kind: str, fields: Fields, classes: Mapping[str, type[Message]]) -> str:
    if kind == "commands":
        return f"clients send {name} {fields}, and nothing handles it: keep it, or agree anew"
    near = [other for other, cls in classes.items() if field_types(cls) == fields]
    hint = (
        f"If {near[0]!r} is its new class name, say `name={name.split('.')[1].split('/')[0]!r}` in that class."
        if near
        else "Keep its class and write an upcaster."
    )
    return f"journals hold {name} {fields}, and no class reads it. {hint}"


def _changed_event(known: _Known, agreed: Fields) -> Iterator[str]:
    for field, old in agreed.items():
        new = known.fields.get(field)
        if new is None:
            yield (
                f"{known.cls}.{field}, {old}, is lost, and journals hold it in {known.name}: keep the field, or raise "
                f"the version of {known.cls} and write an upcaster"
            )
        elif not reads(new, old):
            yield (
                f"{known.cls}.{field} was {old} and is {new}, and journals hold the old in {known.name}: set it back, "
                f"or raise the version of {known.cls} and write an upcaster. If all that journals hold fits the new "
                "type, write the contract anew."
            )
    for field in _newly_required(known, agreed):
        yield (
            f"{known.cls}.{field} is required, and journals hold {known.name} without it: give it a default, or raise "
            f"the version of {known.cls} and write an upcaster"
        )


def _changed_command(known: _Known, agreed: Fields) -> Iterator[str]:
    for field, old in agreed.items():
        new = known.fields.get(field)
        if new is None:
            yield (
                f"{known.cls}.{field}, {old}, is lost, and clients who send it with {known.name} would be refused: "
                "keep the field, or agree anew"
            )
        elif not reads(new, old):
            yield (
                f"{known.cls}.{field} was {old} and is {new}, and clients send the old with {known.name}: set it back, "
                "or agree anew and write the contract anew"
            )
    for field in _newly_required(known, agreed):
        yield (
            f"{known.cls}.{field} is required, and clients send {known.name} without it: give it a default, or agree "
            "anew"
        )


def _newly_required(known: _Known, agreed: Fields) -> list[str]:
    return [field for field, new in known.fields.items() if field not in agreed and not new.endswith(HAS_DEFAULT)]
