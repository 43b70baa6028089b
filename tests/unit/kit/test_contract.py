"""The agreed contract: what old journals hold and clients send is still read, whatever else was added."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest

from shardlog import Aggregate, AwareDatetime, Command, Domain, Event, Meta, State, field
from shardlog.testing.kit import Contract, check_contract, contract
from shardlog.testing.kit.type_text import field_types, reads


class Book(State): ...


class Genre(StrEnum):
    NOVEL = "novel"
    POEMS = "poems"


class Shelf(msgspec.Struct, frozen=True, tag_field="kind", tag="shelf"):
    row: int
    note: str = ""


class Story(msgspec.Struct, frozen=True):
    inside: tuple[Story, ...] = ()


class Lend(Command):
    reader: str
    days: Annotated[int, Meta(gt=0, le=30)] = 14


class Lent(Event):
    reader: str
    days: int = 14


class Filed(Event, version=2):
    genre: Genre
    size: Literal["s", "m"] | None
    at: AwareDatetime
    shelf: Shelf = field(name="place")
    stories: tuple[Story, ...]
    copies: Mapping[str, int] = {}


class FiledV1(Event, name="filed"):
    genre: str


book = Aggregate("book", initial=Book())
book.ignores(Lent, Filed)


@book.upcasts
def filed_v1(old: FiledV1) -> None:
    return None


@book.decides
def lend(state: Book, command: Lend) -> Lent:
    return Lent(reader=command.reader, days=command.days)


library = Domain("library", aggregates=[book])


def agreed(kind: str, name: str, fields: dict[str, str]) -> Contract:
    return {"book": {kind: {name: fields}}}


def broken(agreed: Contract) -> str:
    with pytest.raises(AssertionError) as caught:
        check_contract(library, agreed)
    return str(caught.value)


def test_a_contract_says_name_version_fields_and_types() -> None:
    assert contract(library) == {
        "book": {
            "events": {
                "lent/1": {"reader": "str", "days": "int = ..."},
                "filed/2": {
                    "genre": "'novel' | 'poems'",
                    "size": "'s' | 'm' | None",
                    "at": "datetime (tz=True)",
                    "place": "{kind: 'shelf', row: int, note: str = ...}",
                    "stories": "tuple[{inside: tuple[Story, ...] = ...}, ...]",
                    "copies": "Mapping[str, int] = ...",
                },
                "filed/1": {"genre": "str"},
            },
            "commands": {"lend": {"reader": "str", "days": "int (gt=0, le=30) = ..."}},
        }
    }


def test_the_code_keeps_its_own_contract_after_a_way_through_json() -> None:
    check_contract(library, json.loads(json.dumps(contract(library))))


def test_a_new_field_with_a_default_is_read_from_old_journals_and_old_clients() -> None:
    check_contract(library, agreed("events", "lent/1", {"reader": "str"}))
    check_contract(library, agreed("commands", "lend", {"reader": "str"}))


@pytest.mark.parametrize(("kind", "name", "out_there"), [("events", "lent/1", "journals"), ("commands", "lend", "cli")])
def test_a_new_field_that_is_required_is_not(kind: str, name: str, out_there: str) -> None:
    text = broken(agreed(kind, name, {"days": "int = ..."}))
    assert re.search(rf"- Len[dt]\.reader is required, and {out_there}\w* \w+ book\.{name} without it: give it", text)


def test_an_event_whose_field_changed_its_type_is_named_with_the_old_one_the_new_one_and_what_to_do() -> None:
    assert broken(agreed("events", "lent/1", {"reader": "int", "days": "int = ..."})) == (
        "the contract is broken in 1 place(s):\n"
        "- Lent.reader was int and is str, and journals hold the old in book.lent/1: set it back, or raise the version "
        "of Lent and write an upcaster. If all that journals hold fits the new type, write the contract anew."
    )


def test_a_command_whose_limit_changed_is_named_too() -> None:
    text = broken(agreed("commands", "lend", {"reader": "str", "days": "int (gt=0, le=60) = ..."}))
    assert "- Lend.days was int (gt=0, le=60) = ... and is int (gt=0, le=30) = ..., and clients send the old" in text


def test_a_lost_field_and_a_message_that_nobody_reads_are_all_listed() -> None:
    before = copy.deepcopy(contract(library))
    before["book"]["events"]["lent/1"]["branch"] = "str"
    before["book"]["events"]["returned/1"] = {"late": "bool"}
    before["book"]["commands"]["lend"]["branch"] = "str"
    before["book"]["commands"]["burn"] = {}
    text = broken(before)
    assert text.startswith("the contract is broken in 4 place(s):\n")
    assert "- Lent.branch, str, is lost, and journals hold it in book.lent/1: keep the field, or raise the" in text
    assert "- journals hold book.returned/1 {'late': 'bool'}, and no class reads it. Keep its class" in text
    assert "- Lend.branch, str, is lost, and clients who send it with book.lend would be refused" in text
    assert "- clients send book.burn {}, and nothing handles it: keep it, or agree anew" in text


def test_a_renamed_class_is_recognized_by_its_fields() -> None:
    text = broken(agreed("events", "borrowed/1", {"reader": "str", "days": "int = ..."}))
    assert "If 'lent/1' is its new class name, say `name='borrowed'` in that class." in text


def test_a_contract_without_types_is_to_be_written_anew() -> None:
    names_only: Contract = {"book": {"events": {"lent/1": ["reader"]}}}  # type: ignore[dict-item]  # as it once was
    assert "book.lent/1: ['reader'] names no types: write the contract anew, with contract()" in broken(names_only)


@pytest.mark.parametrize(
    ("new", "old", "fits"),
    [
        ("int", "int", True),
        ("int | None", "int", True),
        ("int | None", "None | int", True),
        ("'a' | 'b'", "'a'", True),
        ("int", "int (gt=0)", True),
        ("int = ...", "int", True),
        ("int", "int = ...", False),
        ("int", "int | None", False),
        ("'a'", "'a' | 'b'", False),
        ("int (gt=0)", "int", False),
        ("str", "int", False),
        ("tuple[int | None, ...]", "tuple[int, ...]", False),
    ],
)
def test_a_type_fits_when_it_takes_every_old_value_for_certain(new: str, old: str, fits: bool) -> None:
    assert reads(new, old) is fits


def test_limits_of_a_type_stand_in_parentheses() -> None:
    class Said(Command):
        what: Annotated[str, Meta(max_length=3, pattern="^a")] | None

    assert field_types(Said) == {"what": "str (pattern='^a', max_length=3) | None"}
