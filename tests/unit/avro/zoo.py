"""Messages with every type of field that a message may have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Generic, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

import msgspec

from shardlog import AwareDatetime, Command, Event, Meta, Personal, field

T = TypeVar("T")
Sku = NewType("Sku", str)


class Color(StrEnum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Mood(Enum):
    NOT_BAD = "not bad"
    BAD = "bad"


class Size(IntEnum):
    SMALL = 1
    LARGE = 9


class Money(msgspec.Struct, frozen=True):
    """In minor units."""

    cents: int
    currency: str = "EUR"


class Renamed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    first_name: str
    last_name: str | None = None
    tags: tuple[str, ...] = ()


class Dashed(msgspec.Struct, frozen=True, rename="kebab"):
    first_name: str


class Box(msgspec.Struct, Generic[T], frozen=True):
    value: T


class Card(msgspec.Struct, frozen=True, tag=True):
    number: str


class Cash(msgspec.Struct, frozen=True, tag="cash", tag_field="type"):
    amount: Money


class Up(msgspec.Struct, frozen=True, tag=1, array_like=True):
    by: int


class Down(msgspec.Struct, frozen=True, tag=2, array_like=True, omit_defaults=True):
    by: int = 1


class Point(NamedTuple):
    x: int
    y: int = 0


class Nothing(msgspec.Struct, frozen=True): ...


class Tree(msgspec.Struct, frozen=True):
    label: str
    left: Tree | None = None
    others: tuple[Tree, ...] = ()


class Plain(Event):
    flag: bool
    number: int
    text: str
    data: bytes
    decimal: Decimal
    instant: AwareDatetime
    day: date
    hour: time
    span: timedelta
    uuid: UUID
    sku: Sku


class Chosen(Event):
    color: Color
    mood: Mood
    size: Size
    word: Literal["a", "b c"]
    digit: Literal[1, 2]
    mixed: Literal["a", 1, None]
    described: Annotated[str, Meta(description="what they said")]
    again: Color | None = None
    fixed: Color = Color.BLUE


class Collected(Event):
    several: tuple[int, ...]
    pair: tuple[int, str]
    empty: tuple[()]
    point: Point
    words: frozenset[str]
    colors: frozenset[Color]
    pairs: frozenset[tuple[int, str]]
    sets: Mapping[str, frozenset[int]]
    prices: Mapping[str, Money]
    by_color: Mapping[Color, int]
    by_word: Mapping[Literal["x", "y"], tuple[Point, ...]]
    boxes: tuple[Box[int], ...]
    texts: Box[str]
    nothings: tuple[Nothing, ...]
    nones: tuple[None, ...]


class United(Event, floats=True):
    maybe: int | None
    scalar: bool | int | float | str | None
    number: float | int
    instant: int | AwareDatetime | None
    day: int | date
    raw: bytes | tuple[int, ...] | None
    named: Money | str | None
    paid: Card | Cash | None
    moved: Up | Down
    mapped: Mapping[str, int] | tuple[Money, ...] | None
    limited: Annotated[int | None, Meta(description="inner")] | str
    pairs: tuple[tuple[int, str] | None, ...]
    enumerated: Color | int | None
    moody: Mood | Size


class Structured(Event):
    money: Money
    renamed: Renamed
    dashed: Dashed
    tree: Tree
    trees: Mapping[str, Tree]
    direct: Up
    tagged: Card
    who: Personal[str]
    born: Personal[date] | None
    address: Personal[Money]
    known: Personal[int | str]


class Measured(Event, floats=True):
    """A thermometer's word."""

    celsius: float
    several: tuple[float, ...] = (0.5,)


class Defaulted(Event):
    number: int = 5
    text: str = 'a "quoted" \N{SNOWMAN}'
    data: bytes = bytes(range(256))
    decimal: Decimal = Decimal("1.50")
    day: date = date(2026, 3, 1)
    uuid: UUID = UUID(int=7)
    color: Color = Color.RED
    mood: Mood = Mood.BAD
    maybe: int | None = None
    other: int | str | None = "x"
    paid: Card | Cash = Cash(amount=Money(cents=5))
    money: Money = Money(cents=1)
    several: tuple[int, ...] = (1, 2)
    point: Point = Point(1, 2)
    words: frozenset[str] = frozenset({"b", "a"})
    prices: Mapping[str, Money] = field(default_factory=dict)
    tree: Tree = Tree(label="root", others=(Tree(label="leaf"),))
    raw: bytes | None = b"\xff"


class Chain(Event):
    """Holds itself."""

    next: Chain | None = None
    note: str = ""


class Everything(Command):
    """A command with limits."""

    amount: Annotated[int, Meta(gt=0, le=1000)]
    name: Annotated[str, Meta(min_length=1)]
    color: Color = Color.RED
    at: AwareDatetime | None = None
    plain: Plain | None = None


class Empty(Event): ...


EVENTS: tuple[type[Event], ...] = (
    Plain,
    Chosen,
    Collected,
    United,
    Structured,
    Measured,
    Defaulted,
    Chain,
    Empty,
)
MESSAGES: tuple[type[Event] | type[Command], ...] = (*EVENTS, Everything)
